# One target per folder. Sources are globbed (with CONFIGURE_DEPENDS): adding a searcher, a scheduler,
# a store or a launcher is adding one file.

# Flags of our own code; nothing is global.
add_library(betatune_flags INTERFACE)
target_include_directories(betatune_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
target_compile_options(betatune_flags INTERFACE
  -ffp-contract=off  # the same sums on every machine: suggestions must be bit for bit reproducible
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${BETATUNE_WARNINGS_AS_ERRORS}>>:-Werror>)
# GCC 12 warns about its own library's strings and Eigen's products when they come out of a precompiled
# header, which hides that they are a system's.
target_compile_options(betatune_flags INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:
  -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow>)
if(BETATUNE_SANITIZE STREQUAL "address")
  target_compile_options(betatune_flags INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(betatune_flags INTERFACE -fsanitize=address,undefined)
elseif(BETATUNE_SANITIZE STREQUAL "thread")
  # GCC's ThreadSanitizer does not know the fences of Boost.Asio, and says so at each.
  target_compile_options(betatune_flags INTERFACE -fsanitize=thread
    $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  target_link_options(betatune_flags INTERFACE -fsanitize=thread)
endif()

if(BETATUNE_FUZZ)
  # libFuzzer follows which branches an input takes.
  target_compile_options(betatune_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(BETATUNE_SANITIZE)
  # GCC 12 takes its own instrumentation of std::variant for reads of uninitialized memory.
  target_compile_options(betatune_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

# betatune_library(NAME [OBJECT] [SOURCE_DIRS dir...] DEPENDS target...)
# All *.cpp of this folder (and of SOURCE_DIRS below it). OBJECT keeps files that only register
# themselves; a STATIC library would drop them silently.
function(betatune_library name)
  cmake_parse_arguments(arg "OBJECT" "" "SOURCE_DIRS;DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  foreach(dir IN LISTS arg_SOURCE_DIRS)
    file(GLOB more CONFIGURE_DEPENDS ${dir}/*.cpp)
    list(APPEND sources ${more})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp "")
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp)
  endif()
  if(arg_OBJECT)
    add_library(${name} OBJECT ${sources})
  else()
    add_library(${name} STATIC ${sources})
  endif()
  target_link_libraries(${name} PUBLIC betatune_flags ${arg_DEPENDS})
endfunction()

# betatune_precompiled(NAME header...): these headers are compiled once for the whole target. Worth it where
# most of a file's compilation is reading a library's headers: nearly half of it for libtorch's.
function(betatune_precompiled name)
  if(BETATUNE_SANITIZE)
    return()
  endif()
  target_precompile_headers(${name} PRIVATE ${ARGN})
  # ccache looks through the precompiled header only so.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endfunction()

# betatune_tests(KIND LAYER DEPENDS target...): tests/KIND/LAYER/*_test.cpp become one program
# KIND_LAYER; ctest -L KIND selects them.
function(betatune_tests kind layer)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${kind}/${layer}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  set(name ${kind}_${layer})
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  # Most of a test's compilation is headers. A few files at a time share them: half the time of a build.
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  # What tests spend their time in is the libraries. Not optimizing the tests' own code saves a third
  # of its compilation.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
  # Where the tests find the programs, plug-ins and data of this build.
  target_compile_definitions(${name} PRIVATE
    BETATUNE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BETATUNE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${kind} TIMEOUT 300)
endfunction()

# betatune_bench(NAME SOURCE DEPENDS target...): a benchmark program build/bin/NAME, built on request
# (`ninja NAME`, or `./dev bench`), never by `all`.
function(betatune_bench name source)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()
