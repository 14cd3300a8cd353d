#include "optimizer/event.hpp"

namespace betatune {

std::string_view fact_type(const Fact& fact) {
  return std::visit([](const auto& each) { return std::string_view(each.kType); }, fact);
}

Json encode_fact(const Fact& fact) {
  return std::visit([](const auto& each) { return encode_json(each); }, fact);
}

Result<Fact> decode_fact(std::string_view type, const Json& body) {
  auto fact = decode_alternative<Fact>(type, body);
  // The bytes come from our own log: whatever is wrong with them is damage, or a newer writer.
  if (!fact) return Error{ErrorKind::corrupt, fact.error().message};
  return fact;
}

}  // namespace betatune
