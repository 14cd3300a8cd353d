#pragma once
/// Arithmetic on the element types that ranks exchange, without libtorch: what a reduction is,
/// once, and how two-byte floats are read and written.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace betatune::distributed {

enum class Element : std::uint8_t { float32, float64, int64, int32, uint8, float16, bfloat16 };
enum class Reduction : std::uint8_t { sum, average, maximum, minimum };

std::size_t bytes_of(Element element);
std::string name_of(Element element);
std::string name_of(Reduction reduction);
bool is_floating(Element element);

/// IEEE 754 binary16 and bfloat16; writing rounds to nearest even, overflow becomes infinity, NaN
/// stays NaN.
float from_half(std::uint16_t bits);
std::uint16_t to_half(float value);
float from_bfloat16(std::uint16_t bits);
std::uint16_t to_bfloat16(float value);

/// out[i] := reduction of inputs[0][i], inputs[1][i], ..., always from the first to the last, so
/// that the result does not depend on who computes it. Two-byte floats are summed as float and
/// rounded once; NaN in an input is NaN in the result, for maximum and minimum too.
///
/// out  count elements; may be one of the inputs
void reduce(Element element, Reduction reduction, const std::vector<const std::byte*>& inputs,
            std::byte* out, std::size_t count);

}  // namespace betatune::distributed
