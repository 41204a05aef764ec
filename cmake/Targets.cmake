# One library per directory of src/, one test program per directory of tests/unit/.

# sotto_library(dns SOURCES name.cc … USES sotto_base …)
function(sotto_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;USES_PRIVATE" ${ARGN})
  add_library(sotto_${name} STATIC ${ARG_SOURCES})
  target_include_directories(sotto_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(sotto_${name} PUBLIC ${ARG_USES} PRIVATE sotto_flags ${ARG_USES_PRIVATE})
endfunction()

# sotto_unit_test(dns SOURCES name_test.cc … USES sotto_dns)
function(sotto_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${ARG_USES} sotto_flags GTest::gtest GTest::gtest_main)
  # What is tested is optimised; to optimise the sanitizers' checks of the tests, too, would take
  # half of the time that the build takes.
  if(SOTTO_SANITIZE)
    target_compile_options(${name}_test PRIVATE -O0)
  endif()
  add_test(NAME ${name}_test COMMAND ${name}_test)
endfunction()

# sotto_fuzz_target(name USES sotto_dns): tests/fuzz/<name>_fuzz.cc. Without clang's libFuzzer it is
# linked with a driver that replays the files it is given, so every test run replays the corpus.
function(sotto_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  add_executable(${name}_fuzz ${name}_fuzz.cc)
  target_link_libraries(${name}_fuzz PRIVATE ${ARG_USES} sotto_flags)
  if(SOTTO_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  else()
    if(NOT TARGET sotto_fuzz_replay)
      add_library(sotto_fuzz_replay OBJECT ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      target_link_libraries(sotto_fuzz_replay PRIVATE sotto_flags)
    endif()
    target_link_libraries(${name}_fuzz PRIVATE sotto_fuzz_replay)
    add_test(NAME ${name}_fuzz_replay
             COMMAND ${name}_fuzz ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endif()
endfunction()

# sotto_micro_bench(dns SOURCES … USES sotto_dns)
function(sotto_micro_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name}_bench ${ARG_SOURCES})
  target_link_libraries(${name}_bench PRIVATE ${ARG_USES} sotto_flags benchmark::benchmark_main)
  if(NOT TARGET micro_bench)
    add_custom_target(micro_bench)  # all of them; see script/bench micro
  endif()
  add_dependencies(micro_bench ${name}_bench)
endfunction()
