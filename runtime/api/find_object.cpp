// Finds the unwinding tables of the code at an address, as glibc does since 2.35, for systems whose glibc does not.
// Only the prelinked runtime has this: the unwinder in it then asks no function of the system that is newer than what
// the library runs on.

#include <cstdint>
#include <dlfcn.h>
#include <link.h>

#ifdef DLFO_EH_SEGMENT_TYPE
namespace {

struct Search {
  uintptr_t address;
  dl_find_object *result;
};

/// The unwinder reads nothing of the object's link_map but where it was loaded.
thread_local link_map where;

int visit(dl_phdr_info *object, size_t, void *data) {
  auto [address, result] = *static_cast<Search *>(data);
  const ElfW(Phdr) *tables = nullptr;
  uintptr_t start = 0, end = 0;
  for (const ElfW(Phdr) *segment = object->dlpi_phdr; segment != object->dlpi_phdr + object->dlpi_phnum; ++segment) {
    uintptr_t first = object->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && address - first < segment->p_memsz) {
      start = first;
      end = first + segment->p_memsz;
    }
    if (segment->p_type == DLFO_EH_SEGMENT_TYPE)
      tables = segment;
  }
  if (end == 0)
    return 0;
  if (!tables)
    return -1;
  where.l_addr = object->dlpi_addr;
  *result = {};
  // NOLINTBEGIN(performance-no-int-to-ptr): addresses are numbers here
  result->dlfo_map_start = reinterpret_cast<void *>(start);
  result->dlfo_map_end = reinterpret_cast<void *>(end);
  result->dlfo_eh_frame = reinterpret_cast<void *>(object->dlpi_addr + tables->p_vaddr);
  // NOLINTEND(performance-no-int-to-ptr)
  result->dlfo_link_map = &where;
  return 1;
}

} // namespace

/// 0 where the address is in an object with tables, else -1.
extern "C" [[gnu::visibility("hidden")]] int _dl_find_object(void *address, dl_find_object *result) noexcept { // NOLINT
  Search search = {reinterpret_cast<uintptr_t>(address), result};
  return dl_iterate_phdr(visit, &search) == 1 ? 0 : -1;
}
#endif
