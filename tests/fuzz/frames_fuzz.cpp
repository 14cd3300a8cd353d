/// Bytes of a peer: frames, divided by NULs. They are a message or a typed error; a message that
/// was understood can be said again and is understood as the same.

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"
#include "transport/codec.hpp"

namespace betatune::fuzz {

void try_input(std::string_view bytes) {
  Frames frames;
  while (!bytes.empty()) frames.emplace_back(next_piece(bytes, '\0'));
  const Result<Message> message = decode_message(frames);
  if (!message) {
    const std::string& text = message.error().message;
    if (!text.starts_with("malformed: ") && !text.starts_with("unknown_verb: ")) broken(text);
    return;
  }
  const Frames said = encode_message(message.value());
  const Result<Message> again = decode_message(said);
  if (!again) broken("said again, it is refused: " + again.error().message);
  if (encode_message(again.value()) != said) broken("said again, it is another message");
}

}  // namespace betatune::fuzz
