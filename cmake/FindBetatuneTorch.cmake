# Finds libtorch: a folder given in CMAKE_PREFIX_PATH first (an unpacked libtorch, or
# <site-packages>/torch of a PyPI wheel), then the system's (Debian's libtorch-dev).
#
# Headers and libraries are taken from one prefix and linked by their full paths, without libtorch's
# own TorchConfig.cmake: that one looks for libc10.so by name and mixes two installations up, and a
# wheel's stops without a CUDA toolkit although none is needed to link.
#
#   BetatuneTorch_FOUND, BetatuneTorch_VERSION, BetatuneTorch_PREFIX
#   betatune_libtorch    imported target; with BETATUNE_WITH_CUDA it brings the CUDA libraries too

set(_prefixes ${CMAKE_PREFIX_PATH})
if(DEFINED ENV{CMAKE_PREFIX_PATH})
  string(REPLACE ":" ";" _from_environment "$ENV{CMAKE_PREFIX_PATH}")
  list(APPEND _prefixes ${_from_environment})
endif()

unset(BetatuneTorch_PREFIX)
foreach(_prefix IN LISTS _prefixes ITEMS /usr/local /usr)
  foreach(_lib lib lib/${CMAKE_LIBRARY_ARCHITECTURE} lib64)
    if(EXISTS ${_prefix}/${_lib}/libtorch_cpu.so AND EXISTS ${_prefix}/${_lib}/libc10.so
       AND EXISTS ${_prefix}/include/torch/csrc/api/include/torch/torch.h)
      set(BetatuneTorch_PREFIX ${_prefix})
      set(_libraries ${_prefix}/${_lib})
      break()
    endif()
  endforeach()
  if(BetatuneTorch_PREFIX)
    break()
  endif()
endforeach()

if(BetatuneTorch_PREFIX)
  set(_api ${BetatuneTorch_PREFIX}/include/torch/csrc/api/include)
  foreach(_header ${_api}/torch/version.h ${BetatuneTorch_PREFIX}/include/torch/headeronly/version.h)
    if(EXISTS ${_header})
      file(STRINGS ${_header} _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
      string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
      if(_numbers)
        list(JOIN _numbers "." BetatuneTorch_VERSION)
      endif()
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BetatuneTorch
  REQUIRED_VARS BetatuneTorch_PREFIX VERSION_VAR BetatuneTorch_VERSION
  REASON_FAILURE_MESSAGE "install libtorch-dev and libopenblas0-openmp (Debian, Ubuntu), or give the \
folder of a libtorch (or <site-packages>/torch) in CMAKE_PREFIX_PATH, or -DBETATUNE_WITH_TORCH=OFF")

if(BetatuneTorch_FOUND AND NOT TARGET betatune_libtorch)
  set(_link ${_libraries}/libtorch_cpu.so ${_libraries}/libc10.so)
  if(BETATUNE_WITH_CUDA)
    if(NOT EXISTS ${_libraries}/libtorch_cuda.so OR NOT EXISTS ${_libraries}/libc10_cuda.so)
      message(FATAL_ERROR "BETATUNE_WITH_CUDA: the libtorch in ${BetatuneTorch_PREFIX} has no CUDA "
        "(no libtorch_cuda.so). Give one that has in CMAKE_PREFIX_PATH, for instance "
        "$(python3 -c 'import torch, os; print(os.path.dirname(torch.__file__))')")
    endif()
    # Nothing refers to libtorch_cuda by name: its kernels register themselves when it is loaded.
    list(APPEND _link -Wl,--push-state,--no-as-needed ${_libraries}/libtorch_cuda.so
      ${_libraries}/libc10_cuda.so -Wl,--pop-state)
  endif()
  add_library(betatune_libtorch INTERFACE IMPORTED GLOBAL)
  set_target_properties(betatune_libtorch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${BetatuneTorch_PREFIX}/include;${_api}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${BetatuneTorch_PREFIX}/include;${_api}"
    INTERFACE_LINK_LIBRARIES "${_link}")
endif()

# Debian's libtorch computes with whatever libblas.so.3 is; left alone, that is the reference BLAS.
if(BetatuneTorch_FOUND AND BetatuneTorch_PREFIX STREQUAL "/usr")
  file(REAL_PATH ${_libraries}/libblas.so.3 _blas)
  if(_blas MATCHES "/blas/libblas\\.so")
    message(WARNING "libblas.so.3 is the reference BLAS (${_blas}): trainings will be about 20 "
      "times slower than with OpenBLAS. Install libopenblas0-openmp.")
  endif()
endif()
