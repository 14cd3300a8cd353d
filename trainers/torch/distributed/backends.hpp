#pragma once
/// The kinds of Communicator, for communicator.cpp alone. Which of them this build has is decided
/// by CMake: where the headers of one are missing, absent/ takes the place of its file.

#include <memory>

#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

/// One rank: nothing to do.
std::unique_ptr<Communicator> make_alone(const World& world);
std::unique_ptr<Communicator> make_shared_memory(const World& world);
/// errors CommunicationError that says what to install, where it was not compiled
std::unique_ptr<Communicator> make_gloo(const World& world);
std::unique_ptr<Communicator> make_nccl(const World& world);

extern const bool kHasGloo;
extern const bool kHasNccl;

/// errors CommunicationError (BETATUNE_ERROR) that names the operation, for a tensor that is not
/// dense, or on another device, or a rank that there is not
void check_tensor(const char* operation, const at::Tensor& tensor, at::DeviceType device);
void check_sizes(const char* operation, const at::Tensor& whole, const at::Tensor& part, int size);
void check_rank(const char* operation, const World& world, int rank, bool may_be_own);
/// errors CommunicationError for types that are not exchanged (complex, bool ...) and the average
/// of integers
Element element_of(const at::Tensor& tensor);
void check_reduction(const at::Tensor& tensor, Reduction reduction);
/// What is exchanged, for errors: "all_reduce of 1000 x float32".
std::string text_of(const char* operation, const at::Tensor& tensor);

}  // namespace betatune::distributed
