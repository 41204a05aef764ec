# Flags of every target: warnings are errors, asserts stay on, release is hardened.
# Dependencies are found once here.

find_program(CCACHE ccache)
if(CCACHE)
  # Paths below the checkout count from there: what one checkout compiled without debug information,
  # any other finds, such as the image's.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
endif()

# CMake's Release defines NDEBUG; an assertion that guards a decision belongs in production too.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()

# The layers are small libraries that call each other for every query: what is inlined across them
# is a fifth of the instructions of a hit.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  include(CheckIPOSupported)
  check_ipo_supported(RESULT SOTTO_IPO OUTPUT SOTTO_IPO_WHY LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${SOTTO_IPO})
  if(SOTTO_IPO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-flto=auto)  # without the number of jobs g++ 14 warns that it takes one
  endif()
endif()

add_library(sotto_flags INTERFACE)
target_compile_options(sotto_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-align -Wundef -Wnull-dereference -Werror -fno-omit-frame-pointer)
# g++ 12 reports uninitialised or dangling memory inside the standard library once it inlines it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sotto_flags INTERFACE
    -Wno-null-dereference -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-maybe-uninitialized)
endif()

if(SOTTO_SANITIZE)
  target_compile_options(sotto_flags INTERFACE
    -fsanitize=${SOTTO_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(sotto_flags INTERFACE -fsanitize=${SOTTO_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(sotto_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection)
  # Intel's and AMD's control-flow enforcement; other architectures' compilers refuse the switch.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i[3-6]86")
    target_compile_options(sotto_flags INTERFACE -fcf-protection)
  endif()
  target_compile_definitions(sotto_flags INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(sotto_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(PROMETHEUS_CPP REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(PSL REQUIRED IMPORTED_TARGET libpsl)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
