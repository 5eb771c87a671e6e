# Finds MLIR 22 and sets up its CMake functions. Only the shared libraries MLIR and LLVM are linked: mixing them with the
# static archives registers LLVM's options twice.

if(NOT MLIR_DIR AND EXISTS /usr/lib/llvm-22/lib/cmake/mlir)
  set(MLIR_DIR /usr/lib/llvm-22/lib/cmake/mlir)
endif()
find_package(MLIR REQUIRED CONFIG)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "expected MLIR 22, found ${LLVM_VERSION} in ${MLIR_DIR}")
endif()
find_package(LLD REQUIRED CONFIG HINTS "${LLVM_DIR}/../lld")

set(MLIR_LINK_MLIR_DYLIB ON)
set(LLVM_LINK_LLVM_DYLIB ON)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
add_definitions(${LLVM_DEFINITIONS})

# bambac_compiler_target(NAME): what every target that includes MLIR is compiled with. Clang takes MLIR's headers from one
# precompiled header, which makes a file compile in a fifth of the time. GCC's own would be 600 MB and gain less.
function(bambac_compiler_target name)
  target_compile_options(${name} PRIVATE -Wno-unused-parameter -Wno-comment)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    return()
  endif()
  if(NOT TARGET BambaPrecompiled)
    add_library(BambaPrecompiled OBJECT "${CMAKE_SOURCE_DIR}/cmake/MlirPrecompiled.cpp")
    set_target_properties(BambaPrecompiled PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(BambaPrecompiled PRIVATE -Wno-unused-parameter -Wno-comment -fPIC)
    target_precompile_headers(BambaPrecompiled PRIVATE "${CMAKE_SOURCE_DIR}/cmake/MlirPrecompiled.h")
  endif()
  # Programs too, which CMake would compile with -fPIE: the header fits only what is compiled as it is.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM BambaPrecompiled)
endfunction()

# bambac_library(NAME sources... [LINK targets...]): a static library of the compiler.
function(bambac_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  bambac_compiler_target(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# bambac_tool(NAME sources... [LINK targets...]): a program of the compiler.
function(bambac_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  bambac_compiler_target(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
endfunction()
