#pragma once
/// Which GPUs trainers may use: those of an inherited CUDA_VISIBLE_DEVICES, else all that the
/// driver shows.

#include <string>
#include <vector>

namespace betatune {

/// Device names as CUDA_VISIBLE_DEVICES spells them ("0", "GPU-8932f937-..."). `inherited` is the
/// variable's value, null if it is not set; set but empty means none. CUDA stops at the first entry
/// that is no device ("-1"), and so do we.
std::vector<std::string> visible_gpus(const char* inherited, const std::string& driver_directory);

/// The slice of trainer `index` when each takes `each` of `gpus`, round robin where there are more
/// trainers than GPUs; joined by commas, "" if there are no GPUs.
std::string gpu_slice(const std::vector<std::string>& gpus, int index, int each);

}  // namespace betatune
