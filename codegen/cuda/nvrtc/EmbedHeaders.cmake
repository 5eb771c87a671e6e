# cmake -DOUTPUT=x.cpp -DROOT=folder "-DHEADERS=a.cuh;b.cuh" -P EmbedHeaders.cmake: writes getDeviceHeaders().
set(text "// Generated from the device headers.\n#include \"codegen/cuda/nvrtc/DeviceHeaders.h\"\n#include \"llvm/ADT/ArrayRef.h\"\n\n")
string(APPEND text "static constexpr std::pair<const char *, const char *> kHeaders[] = {\n")
foreach(header IN LISTS HEADERS)
  file(READ "${ROOT}/${header}" content)
  string(APPEND text "{\"${header}\", R\"device(${content})device\"},\n")
endforeach()
string(APPEND text "};\n\nllvm::ArrayRef<std::pair<const char *, const char *>> bambac::codegen::getDeviceHeaders() {\n"
  "  return kHeaders;\n}\n")
file(WRITE "${OUTPUT}" "${text}")
