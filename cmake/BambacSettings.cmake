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
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
include_directories("${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")

if(BAMBAC_SANITIZE)
  add_compile_options(-fsanitize=${BAMBAC_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BAMBAC_SANITIZE})
endif()
