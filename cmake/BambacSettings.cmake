# How every target of the project is compiled.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # What ccache asks for before it caches what is compiled with a precompiled header.
  set(launcher "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()

add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # A precompiled header is the same when it is made again, so that ccache finds what used it.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  # std::stable_sort of GCC 12's library calls a function of its own that C++17 deprecates.
  add_compile_options(-Wno-deprecated-declarations)
endif()
include_directories("${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")

# The preset `dev`: code that is made fast and checks itself, not fast code.
set(CMAKE_C_FLAGS_DEV "-O1" CACHE STRING "Flags of the build type Dev")
set(CMAKE_CXX_FLAGS_DEV "-O1" CACHE STRING "Flags of the build type Dev")

if(BAMBAC_SANITIZE)
  add_compile_options(-fsanitize=${BAMBAC_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BAMBAC_SANITIZE})
endif()
