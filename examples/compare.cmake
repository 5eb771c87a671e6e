# Runs PROGRAM and REFERENCE, two command lines, and fails unless both succeed and print the same.
#
#   cmake -DPROGRAM=a;b;c -DREFERENCE=d;e;f -P compare.cmake
foreach(name PROGRAM REFERENCE)
  execute_process(COMMAND ${${name}} OUTPUT_VARIABLE ${name}_OUTPUT RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ${name} " " command)
    message(FATAL_ERROR "${command}: exit code ${result}")
  endif()
endforeach()
if(NOT PROGRAM_OUTPUT STREQUAL REFERENCE_OUTPUT OR NOT PROGRAM_OUTPUT MATCHES "^[0-9]+( [0-9]+)*\n$")
  message(FATAL_ERROR "expected ${REFERENCE_OUTPUT}found ${PROGRAM_OUTPUT}")
endif()
message(STATUS "${PROGRAM_OUTPUT}")
