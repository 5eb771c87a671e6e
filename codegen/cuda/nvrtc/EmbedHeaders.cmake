# cmake -DOUTPUT=x.cpp "-DROOTS=folder;folder" "-DHEADERS=a.cuh;b.h" -P EmbedHeaders.cmake: writes getDeviceHeaders(). A header
# is taken from the first root that has it.
set(text "// Generated from the device headers.\n#include \"codegen/cuda/nvrtc/DeviceHeaders.h\"\n#include \"llvm/ADT/ArrayRef.h\"\n\n")
string(APPEND text "static constexpr std::pair<const char *, const char *> kHeaders[] = {\n")
foreach(header IN LISTS HEADERS)
  foreach(root IN LISTS ROOTS)
    if(EXISTS "${root}/${header}")
      file(READ "${root}/${header}" content)
      break()
    endif()
  endforeach()
  string(APPEND text "{\"${header}\", R\"device(${content})device\"},\n")
endforeach()
string(APPEND text "};\n\nllvm::ArrayRef<std::pair<const char *, const char *>> bambac::codegen::getDeviceHeaders() {\n"
  "  return kHeaders;\n}\n")
file(WRITE "${OUTPUT}" "${text}")
