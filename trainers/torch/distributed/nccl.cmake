# NCCL, for ranks on GPUs: where libtorch has CUDA. nccl.h and the CUDA runtime are looked for beside a
# libtorch of PyPI (<site-packages>/nvidia), as it was built with those, then in a CUDA toolkit.
# Sets nccl (the sources), nccl_libraries and nccl_includes.
set(nccl absent/nccl.cpp)
set(nccl_libraries)
set(nccl_includes)
if(NOT BETATUNE_WITH_CUDA)
  return()
endif()
set(_nvidia ${BetatuneTorch_PREFIX}/../nvidia)
file(GLOB _wheels ${_nvidia}/nccl ${_nvidia}/cuda_runtime ${_nvidia}/cu1?)
set(_toolkit $ENV{CUDA_HOME} /usr/local/cuda)
find_path(BETATUNE_NCCL_INCLUDE nccl.h HINTS ${_wheels} PATHS ${_toolkit} PATH_SUFFIXES include)
find_library(BETATUNE_NCCL_LIBRARY NAMES nccl libnccl.so.2 NAMES_PER_DIR HINTS ${_wheels}
  PATHS ${_toolkit} PATH_SUFFIXES lib lib64)
find_path(BETATUNE_CUDART_INCLUDE cuda_runtime_api.h HINTS ${_wheels} PATHS ${_toolkit}
  PATH_SUFFIXES include)
find_library(BETATUNE_CUDART_LIBRARY NAMES cudart libcudart.so.13 libcudart.so.12 NAMES_PER_DIR
  HINTS ${_wheels} PATHS ${_toolkit} PATH_SUFFIXES lib lib64)
foreach(_part NCCL_INCLUDE NCCL_LIBRARY CUDART_INCLUDE CUDART_LIBRARY)
  if(NOT BETATUNE_${_part})
    message(STATUS "no nccl: BETATUNE_${_part} was not found (PyPI: nvidia-nccl-cu13 beside torch; Debian: \
libnccl-dev): ranks on GPUs cannot train together")
    return()
  endif()
endforeach()
set(nccl nccl.cpp nccl_channel.cpp)
set(nccl_libraries ${BETATUNE_NCCL_LIBRARY} ${BETATUNE_CUDART_LIBRARY})
set(nccl_includes ${BETATUNE_NCCL_INCLUDE} ${BETATUNE_CUDART_INCLUDE})
