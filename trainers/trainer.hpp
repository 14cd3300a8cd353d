#pragma once
/// The C++ face of plugin.h: derive from Trainer, end the file with BETATUNE_TRAINER(...). Header
/// only; nothing else of Betatune is needed to build a plug-in.

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "plugin.h"

namespace betatune::plugin {

/// Thrown (or derived from) to say which class a failure has; any other exception is
/// BETATUNE_ERROR, std::bad_alloc is BETATUNE_OOM.
class Failure : public std::exception {
 public:
  Failure(int32_t failure_class, std::string what)
      : class_(failure_class), what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }
  int32_t failure_class() const { return class_; }

 private:
  int32_t class_;
  std::string what_;
};

enum class Verdict { go_on = BETATUNE_CONTINUE, stop = BETATUNE_STOP, pause = BETATUNE_PAUSE };

class Host {
 public:
  explicit Host(const betatune_host* host) : host_(host) {}

  /// Publishes metrics of a training step; unless it answers go_on, return from train() soon.
  [[nodiscard]] Verdict report(
      int64_t step, std::initializer_list<std::pair<const char*, double>> metrics) const {
    std::string json = "{";
    for (const auto& [name, number] : metrics) {
      if (json.size() > 1) json += ", ";
      json += '"' + std::string(name) + "\": " + number_text(number);
    }
    return report_json(step, json + "}");
  }
  [[nodiscard]] Verdict report_json(int64_t step, const std::string& metrics) const {
    return static_cast<Verdict>(host_->report(host_->ctx, step, metrics.c_str()));
  }
  void log(int32_t level, const std::string& text) const {
    host_->log(host_->ctx, level, text.c_str());
  }
  /// A later interface by name, and what its functions take first; null where there is none.
  const void* extension(const char* id) const {
    return host_->extension != nullptr ? host_->extension(host_->ctx, id) : nullptr;
  }
  void* ctx() const { return host_->ctx; }

 private:
  static std::string number_text(double number);

  const betatune_host* host_;
};

inline std::string Host::number_text(double number) {
  if (number != number) return "\"NaN\"";
  if (number - number != 0) return number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char text[32];
  // %.17g is exact, whatever the locale of the decimal point: a comma is put right below.
  const int length = __builtin_snprintf(text, sizeof text, "%.17g", number);
  std::string out(text, static_cast<std::size_t>(length));
  for (char& c : out) {
    if (c == ',') c = '.';
  }
  return out;
}

class Trainer {
 public:
  virtual ~Trainer() = default;
  virtual void setup(const betatune_job& job) = 0;
  virtual void train(int64_t until_step) = 0;
  virtual void save(const std::string& directory) = 0;
  virtual void load(const std::string& directory) = 0;
};

/// Makes the C struct for a Trainer and keeps exceptions on this side.
template <class T>
struct Adapter {
  betatune_trainer face{};
  T impl;
  std::string error;

  explicit Adapter(const betatune_host* host) : impl(Host(host)) {
    face = {sizeof face, this, &setup, &train, &save, &load, &last_error, &destroy};
  }

  template <class F>
  static int32_t guard(void* self, F call) noexcept {
    auto& adapter = *static_cast<Adapter*>(self);
    try {
      call(adapter.impl);
      return BETATUNE_OK;
    } catch (const Failure& failure) {
      adapter.error = failure.what();
      return failure.failure_class();
    } catch (const std::bad_alloc&) {
      adapter.error = "out of memory";
      return BETATUNE_OOM;
    } catch (const std::exception& e) {
      adapter.error = e.what();
    } catch (...) {
      adapter.error = "an exception that is not a std::exception";
    }
    return BETATUNE_ERROR;
  }
  static int32_t setup(void* self, const betatune_job* job) {
    return guard(self, [&](T& trainer) { trainer.setup(*job); });
  }
  static int32_t train(void* self, int64_t until_step) {
    return guard(self, [&](T& trainer) { trainer.train(until_step); });
  }
  static int32_t save(void* self, const char* directory) {
    return guard(self, [&](T& trainer) { trainer.save(directory); });
  }
  static int32_t load(void* self, const char* directory) {
    return guard(self, [&](T& trainer) { trainer.load(directory); });
  }
  static const char* last_error(void* self) { return static_cast<Adapter*>(self)->error.c_str(); }
  static void destroy(void* self) { delete static_cast<Adapter*>(self); }
};

}  // namespace betatune::plugin

#define BETATUNE_TRAINER(Type, plugin_name, plugin_version)                                      \
  extern "C" __attribute__((visibility("default"))) const betatune_plugin betatune_plugin_v1 = { \
      sizeof(betatune_plugin),                                                                   \
      BETATUNE_ABI_MAJOR,                                                                        \
      BETATUNE_ABI_MINOR,                                                                        \
      plugin_name,                                                                               \
      plugin_version,                                                                            \
      [](const betatune_host* host) -> const betatune_trainer* {                                 \
        try {                                                                                    \
          return &(new ::betatune::plugin::Adapter<Type>(host))->face;                           \
        } catch (...) {                                                                          \
          return nullptr;                                                                        \
        }                                                                                        \
      }}
