/// A row of a study's log: its type, a newline, its JSON. The quick way of reading must agree with
/// the general one, and what was read must be written as it was.

#include "optimizer/stores/fact_text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace betatune::fuzz {

void try_input(std::string_view bytes) {
  const std::string_view type = next_piece(bytes, '\n');
  const std::optional<Fact> quick = read_fact_text(type, bytes);
  const Json json = Json::parse(bytes, nullptr, false);
  if (json.is_discarded()) {
    if (quick) broken("the quick way takes what is no JSON");
    return;
  }
  const Result<Fact> fact = decode_fact(type, json);
  if (!fact) {
    if (quick) broken("the quick way takes what is no fact: " + fact.error().message);
    return;
  }
  const std::string written = encode_fact(fact.value()).dump();
  if (quick && encode_fact(*quick).dump() != written) broken("two ways, two facts");
  const Result<Fact> again = decode_fact(type, Json::parse(written));
  if (!again || encode_fact(again.value()).dump() != written) broken("it is not read as written");
}

}  // namespace betatune::fuzz
