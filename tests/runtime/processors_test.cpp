// How many threads a session has where nobody says it: quotas of control groups, in folders as systems have them.

#include "runtime/support/processors.h"
#include "tests/runtime/toy_model.h"
#include <filesystem>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// A root folder with some of /proc and /sys.
class FakeRoot {
public:
  FakeRoot &file(const std::string &path, const std::string &text) {
    std::filesystem::create_directories(std::filesystem::path(folder.path() + path).parent_path());
    folder.write(path.substr(1), text);
    return *this;
  }
  std::optional<double> processors() const { return cgroupProcessors(folder.path()); }

private:
  TemporaryFolder folder;
};

} // namespace

TEST(Processors, NoControlGroupIsNoQuota) {
  EXPECT_EQ(FakeRoot().processors(), std::nullopt);
  EXPECT_EQ(FakeRoot().file("/proc/self/cgroup", "0::/\n").processors(), std::nullopt);
  EXPECT_EQ(FakeRoot().file("/proc/self/cgroup", "nonsense\n::\n0::\n").processors(), std::nullopt);
}

TEST(Processors, QuotasOfTheSecondVersion) {
  auto root = [](const char *max) {
    return FakeRoot().file("/proc/self/cgroup", "0::/\n").file("/sys/fs/cgroup/cpu.max", max).processors();
  };
  EXPECT_EQ(root("150000 100000\n"), 1.5);
  EXPECT_EQ(root("50000 100000\n"), 0.5);
  EXPECT_EQ(root("max 100000\n"), std::nullopt);
  EXPECT_EQ(root("0 0\n"), std::nullopt);
  EXPECT_EQ(root(""), std::nullopt);
}

TEST(Processors, TheSmallestQuotaOnTheWayCounts) {
  FakeRoot root;
  root.file("/proc/self/cgroup", "0::/kube/pod/box\n")
      .file("/sys/fs/cgroup/kube/pod/box/cpu.max", "max 100000\n")
      .file("/sys/fs/cgroup/kube/pod/cpu.max", "400000 100000\n")
      .file("/sys/fs/cgroup/kube/cpu.max", "800000 100000\n");
  EXPECT_EQ(root.processors(), 4.0);
  root.file("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(root.processors(), 3.0);
}

TEST(Processors, QuotasOfTheFirstVersion) {
  const char *groups = "5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n";
  auto root = [&](const char *mount, const char *quota) {
    return FakeRoot()
        .file("/proc/self/cgroup", groups)
        .file(std::string(mount) + "/cpu.cfs_quota_us", quota)
        .file(std::string(mount) + "/cpu.cfs_period_us", "50000\n")
        .processors();
  };
  EXPECT_EQ(root("/sys/fs/cgroup/cpu,cpuacct/box", "100000\n"), 2.0);
  EXPECT_EQ(root("/sys/fs/cgroup/cpu/box", "100000\n"), 2.0);
  EXPECT_EQ(root("/sys/fs/cgroup/cpu", "100000\n"), 2.0) << "in a container, whose root is the group";
  EXPECT_EQ(root("/sys/fs/cgroup/cpu,cpuacct/box", "-1\n"), std::nullopt);
  EXPECT_EQ(root("/sys/fs/cgroup/memory/box", "100000\n"), std::nullopt);
}

TEST(Processors, AtLeastOneAndNoMoreThanTheQuota) {
  unsigned processors = availableProcessors();
  EXPECT_GE(processors, 1u);
  if (std::optional<double> quota = cgroupProcessors())
    EXPECT_LT(processors, *quota + 1);
}
