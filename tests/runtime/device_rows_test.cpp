// Rows that are cleared and copied together are what they are one by one, on every device and whatever a driver takes.

#include "runtime/cuda/cuda_device.h"
#include "runtime/host/cpu_device.h"
#include "tests/runtime/cuda_toy.h"
#include <cstring>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Bytes = std::vector<std::byte>;

/// `rows` rows of `bytes` bytes, which start so many bytes apart on the device, and on the host.
struct Geometry {
  size_t bytes, rows, pitch, hostPitch;
};

constexpr Geometry geometries[] = {
    {64, 5, 256, 64}, // words
    {64, 5, 257, 64}, // a pitch, and then a size, that is no multiple of a word
    {63, 5, 256, 70}, {2, 7, 2, 3}, {48, 1, 48, 48}, {size_t{3} << 20, 3, (size_t{3} << 20) + 256, size_t{3} << 20},
};

size_t sizeOf(size_t pitch, const Geometry &rows) { return (rows.rows - 1) * pitch + rows.bytes; }

Bytes someBytes(size_t count) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<std::byte>(i * 7 + i / 251 + 1);
  return bytes;
}

/// Uploads rows, copies them, clears the first half of each, and downloads them.
Bytes play(Device &device, const Geometry &of) {
  Bytes from = someBytes(sizeOf(of.hostPitch, of)), to(from.size());
  DeviceMemory first = device.allocate(sizeOf(of.pitch, of), "rows"),
               second = device.allocate(sizeOf(of.hostPitch, of), "rows");
  device.uploadRows(first.get(), of.pitch, from.data(), of.hostPitch, of.bytes, of.rows);
  device.copyRows(second.get(), of.hostPitch, first.get(), of.pitch, of.bytes, of.rows);
  device.clearRows(second.get(), of.hostPitch, of.bytes / 2, of.rows);
  device.downloadRows(to.data(), of.hostPitch, second.get(), of.hostPitch, of.bytes, of.rows);
  device.finish();
  return to;
}

Bytes expected(const Geometry &of) {
  Bytes from = someBytes(sizeOf(of.hostPitch, of)), to(from.size());
  for (size_t row = 0; row < of.rows; ++row)
    for (size_t i = of.bytes / 2; i < of.bytes; ++i)
      to[row * of.hostPitch + i] = from[row * of.hostPitch + i];
  return to;
}

class DeviceRowsOnCuda : public CudaTest {
protected:
  DeviceRowsOnCuda() { table.num_kernels = 0; }

  cuda::CudaDevice open() const { return {std::make_shared<const cuda::Kernels>(openFakeDevice(), table), nullptr}; }

  bamba_rt_model table = toyTable;
};

} // namespace

TEST(DeviceRows, AreThoseOfSingleCopiesOnTheHost) {
  CpuDevice device(2);
  for (const Geometry &geometry : geometries)
    EXPECT_EQ(play(device, geometry), expected(geometry)) << geometry.bytes << " " << geometry.pitch;
}

TEST_F(DeviceRowsOnCuda, AreOneCallEach) {
  cuda::CudaDevice device = open();
  for (const Geometry &geometry : geometries) {
    FakeCuda before = fake;
    EXPECT_EQ(play(device, geometry), expected(geometry)) << geometry.bytes << " " << geometry.pitch;
    EXPECT_EQ(fake.clears - before.clears, 3) << "two of new memory";
    EXPECT_EQ(fake.copies - before.copies, 1);
    EXPECT_EQ(fake.uploads + fake.uploadsOfRows - before.uploads - before.uploadsOfRows, 1);
    EXPECT_EQ(fake.downloads + fake.downloadsOfRows - before.downloads - before.downloadsOfRows, 1);
  }
}

TEST_F(DeviceRowsOnCuda, AreClearedInWordsWhereTheyConsistOfThem) {
  cuda::CudaDevice device = open();
  DeviceMemory memory = device.allocate(4096, "rows");
  auto wordsOf = [&](size_t offset, size_t pitch, size_t bytes) {
    int before = fake.clearsOfWords;
    device.clearRows(memory.get() + offset, pitch, bytes, 3);
    return fake.clearsOfWords - before;
  };
  EXPECT_EQ(wordsOf(0, 256, 128), 1);
  EXPECT_EQ(wordsOf(4, 260, 12), 1);
  EXPECT_EQ(wordsOf(2, 256, 128), 0);
  EXPECT_EQ(wordsOf(0, 254, 128), 0);
  EXPECT_EQ(wordsOf(0, 256, 126), 0);
  device.finish(); // it still has to clear memory that is about to go
}

/// The driver has a limit below 2 GiB for the bytes between rows. Pools of states may have more.
TEST_F(DeviceRowsOnCuda, AreOneByOneWhereTheyAreTooFarApart) {
  fake.maxPitch = 100;
  cuda::CudaDevice device = open();
  for (size_t pitch : {100, 101}) {
    Geometry geometry = {64, 5, pitch, 64};
    FakeCuda before = fake;
    EXPECT_EQ(play(device, geometry), expected(geometry));
    bool fits = pitch == 100;
    EXPECT_EQ(fake.uploadsOfRows - before.uploadsOfRows, fits ? 1 : 0);
    EXPECT_EQ(fake.uploads - before.uploads, fits ? 0 : 5);
    EXPECT_EQ(fake.copies - before.copies, fits ? 1 : 5);
  }
  DeviceMemory memory = device.allocate(505, "rows");
  Bytes host(505);
  FakeCuda before = fake;
  device.clearRows(memory.get(), 101, 64, 5);
  device.downloadRows(host.data(), 64, memory.get(), 101, 64, 5);
  device.finish();
  EXPECT_EQ(fake.clears - before.clears, 5);
  EXPECT_EQ(fake.downloads - before.downloads, 5);
  EXPECT_EQ(fake.downloadsOfRows, before.downloadsOfRows);
}

TEST_F(DeviceRowsOnCuda, OfNoBytesAreNoCall) {
  cuda::CudaDevice device = open();
  DeviceMemory memory = device.allocate(16, "rows");
  Bytes host(16);
  device.finish();
  FakeCuda before = fake;
  device.clearRows(memory.get(), 8, 0, 2);
  device.copyRows(memory.get(), 8, memory.get(), 8, 0, 2);
  device.uploadRows(memory.get(), 8, host.data(), 8, 0, 2);
  device.downloadRows(host.data(), 8, memory.get(), 8, 0, 2);
  EXPECT_EQ(fake.clears, before.clears);
  EXPECT_EQ(fake.copies, before.copies);
  EXPECT_EQ(fake.uploadsOfRows, before.uploadsOfRows);
  EXPECT_EQ(fake.downloadsOfRows, before.downloadsOfRows);
}
