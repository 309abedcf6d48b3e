// libxgboost behind the functions of core/tabular/booster_api.h.
//
// The library works with OpenMP, whose threads outlive the call that first needs them. The server's signal handlers must
// never run on them, so every call is made with all signals blocked: threads inherit that mask for good. While rows are handed
// over, between the library's parallel parts, signals reach the server's own thread again.
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <xgboost/c_api.h>

#include "xgboost/booster.h"

namespace {

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  // Pending signals are delivered to this thread now.
  void LetThrough() const {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, &previous_, &blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  }

 private:
  sigset_t previous_;
};

// What a call of the library says of its failure, without the trace of its stack.
struct Failure : std::exception {
  explicit Failure(std::string text) : message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }
  std::string message;
};

void Check(int code) {
  if (code == 0) return;
  std::string text = XGBGetLastError();
  if (const size_t trace = text.find("\nStack trace"); trace != std::string::npos) text.resize(trace);
  // "[12:00:00] file:line: what happened": from the last part on.
  if (const size_t at = text.find(": ", text.find("] ") == std::string::npos ? 0 : text.find("] "));
      at != std::string::npos && text[0] == '[')
    text = text.substr(at + 2);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  throw Failure(text);
}

std::string ArrayInterface(const void* data, uint64_t rows, uint64_t columns) {
  char text[160];
  std::snprintf(text, sizeof text, R"({"data": [%llu, true], "shape": [%llu, %llu], "typestr": "<f4", "version": 3})",
                static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(data)),
                static_cast<unsigned long long>(rows), static_cast<unsigned long long>(columns));
  return text;
}

void SetTypes(DMatrixHandle matrix, const retrain::BoosterRows& rows) {
  if (std::find(rows.categorical, rows.categorical + rows.n_columns, uint8_t{1}) == rows.categorical + rows.n_columns)
    return;
  std::vector<const char*> types;
  for (uint32_t c = 0; c < rows.n_columns; ++c) types.push_back(rows.categorical[c] != 0 ? "c" : "q");
  Check(XGDMatrixSetStrFeatureInfo(matrix, "feature_type", types.data(), types.size()));
}

// Hands batches to the library's iterator.
struct Batches {
  const retrain::BoosterRows& rows;
  DMatrixHandle proxy;
  const AllSignalsBlocked& blocked;
  std::string failure;

  static void Reset(void* self) { static_cast<Batches*>(self)->rows.reset(static_cast<Batches*>(self)->rows.arg); }
  static int Next(void* handle) noexcept {
    auto* self = static_cast<Batches*>(handle);
    try {
      self->blocked.LetThrough();
      const float* batch = nullptr;
      const uint64_t n = self->rows.next(self->rows.arg, &batch);
      if (n == 0) return 0;
      Check(XGProxyDMatrixSetDataDense(self->proxy, ArrayInterface(batch, n, self->rows.n_columns).c_str()));
      SetTypes(self->proxy, self->rows);
      return 1;
    } catch (const std::exception& error) {
      self->failure = error.what();
      return 0;
    }
  }
};

struct Handle {
  DMatrixHandle train = nullptr, validation = nullptr;
  BoosterHandle booster = nullptr;
  uint64_t n_rows = 0;

  ~Handle() {
    if (booster != nullptr) XGBoosterFree(booster);
    if (validation != nullptr) XGDMatrixFree(validation);
    if (train != nullptr) XGDMatrixFree(train);
  }
};

void SetLabels(DMatrixHandle matrix, const retrain::BoosterRows& rows) {
  Check(
      XGDMatrixSetInfoFromInterface(matrix, "label", ArrayInterface(rows.labels, rows.n_rows, rows.n_labels).c_str()));
}

void MakeQuantised(const retrain::BoosterRows& rows, int threads, const std::string& max_bin,
                   const AllSignalsBlocked& blocked, DMatrixHandle* matrix) {
  Batches batches{rows, nullptr, blocked, {}};
  Check(XGProxyDMatrixCreate(&batches.proxy));
  const std::string config =
      "{\"missing\": NaN, \"nthread\": " + std::to_string(threads) + ", \"max_bin\": " + max_bin + "}";
  const int code = XGQuantileDMatrixCreateFromCallback(&batches, batches.proxy, nullptr, &Batches::Reset,
                                                       &Batches::Next, config.c_str(), matrix);
  XGDMatrixFree(batches.proxy);
  if (!batches.failure.empty()) throw Failure(batches.failure);
  Check(code);
}

void MakePlain(const retrain::BoosterRows& rows, int threads, const AllSignalsBlocked& blocked, DMatrixHandle* matrix) {
  std::vector<float> values;
  values.reserve(rows.n_rows * rows.n_columns);
  rows.reset(rows.arg);
  const float* batch = nullptr;
  for (uint64_t n; (n = rows.next(rows.arg, &batch)) > 0;) {
    values.insert(values.end(), batch, batch + n * rows.n_columns);
    blocked.LetThrough();
  }
  if (values.size() != rows.n_rows * rows.n_columns) throw Failure("the rows ended early");
  const std::string config = "{\"missing\": NaN, \"nthread\": " + std::to_string(threads) + "}";
  Check(XGDMatrixCreateFromDense(ArrayInterface(values.data(), rows.n_rows, rows.n_columns).c_str(), config.c_str(),
                                 matrix));
  SetTypes(*matrix, rows);
}

// Runs f with signals blocked; 0, or 1 with a message.
template <class F>
int Guarded(char* error, size_t error_size, F&& f) noexcept {
  const AllSignalsBlocked blocked;
  try {
    f(blocked);
    return 0;
  } catch (const std::bad_alloc&) {
    std::snprintf(error, error_size, "out of memory");
  } catch (const std::exception& failure) {
    std::snprintf(error, error_size, "%s", failure.what());
  } catch (...) {
    std::snprintf(error, error_size, "an exception of unknown type");
  }
  return 1;
}

int Create(const retrain::BoosterRows* train, const retrain::BoosterRows* validation, int quantised, int threads,
           const retrain::BoosterParameter* parameters, size_t n_parameters, void** booster, char* error,
           size_t error_size) {
  return Guarded(error, error_size, [&](const AllSignalsBlocked& blocked) {
    Check(XGBRegisterLogCallback([](const char*) {}));
    Check(XGBSetGlobalConfig("{\"verbosity\": 0}"));
    auto handle = std::make_unique<Handle>();
    handle->n_rows = train->n_rows;
    std::string max_bin = "256";
    for (size_t i = 0; i < n_parameters; ++i)
      if (std::strcmp(parameters[i].name, "max_bin") == 0) max_bin = parameters[i].value;
    if (quantised != 0)
      MakeQuantised(*train, threads, max_bin, blocked, &handle->train);
    else
      MakePlain(*train, threads, blocked, &handle->train);
    SetLabels(handle->train, *train);
    if (validation != nullptr) {
      MakePlain(*validation, threads, blocked, &handle->validation);
      SetLabels(handle->validation, *validation);
    }
    const DMatrixHandle known[] = {handle->train, handle->validation};
    Check(XGBoosterCreate(known, validation != nullptr ? 2 : 1, &handle->booster));
    Check(XGBoosterSetParam(handle->booster, "nthread", std::to_string(threads).c_str()));
    for (size_t i = 0; i < n_parameters; ++i)
      Check(XGBoosterSetParam(handle->booster, parameters[i].name, parameters[i].value));
    *booster = handle.release();
  });
}

int Round(void* booster, int iteration, const float* gradients, const float* hessians, size_t n, char* error,
          size_t error_size) {
  return Guarded(error, error_size, [&](const AllSignalsBlocked&) {
    auto* handle = static_cast<Handle*>(booster);
    if (n == 0)
      Check(XGBoosterUpdateOneIter(handle->booster, iteration, handle->train));
    else
      Check(XGBoosterBoostOneIter(handle->booster, handle->train, const_cast<float*>(gradients),
                                  const_cast<float*>(hessians), n));
  });
}

int Evaluate(void* booster, int iteration, double* value, char* error, size_t error_size) {
  return Guarded(error, error_size, [&](const AllSignalsBlocked&) {
    auto* handle = static_cast<Handle*>(booster);
    DMatrixHandle matrices[] = {handle->validation};
    const char* names[] = {"validation"};
    const char* text = nullptr;
    Check(XGBoosterEvalOneIter(handle->booster, iteration, matrices, names, 1, &text));
    const char* last = std::strrchr(text, ':');
    if (last == nullptr || std::from_chars(last + 1, text + std::strlen(text), *value).ec != std::errc())
      throw Failure(std::string("no metric in \"") + text + "\"");
  });
}

int Save(void* booster, const uint8_t** bytes, uint64_t* size, char* error, size_t error_size) {
  return Guarded(error, error_size, [&](const AllSignalsBlocked&) {
    const char* data = nullptr;
    bst_ulong length = 0;
    Check(XGBoosterSaveModelToBuffer(static_cast<Handle*>(booster)->booster, "{\"format\": \"ubj\"}", &length, &data));
    *bytes = reinterpret_cast<const uint8_t*>(data);
    *size = length;
  });
}

void Destroy(void* booster) {
  const AllSignalsBlocked blocked;
  delete static_cast<Handle*>(booster);
}

}  // namespace

const retrain::BoosterApi* XgboostApi() {
  static char engine[32];
  static const retrain::BoosterApi api = [] {
    int major = 0, minor = 0, patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    std::snprintf(engine, sizeof engine, "xgboost %d.%d.%d", major, minor, patch);
    return retrain::BoosterApi{RETRAIN_BOOSTER_API_VERSION, engine, Create, Round, Evaluate, Save, Destroy};
  }();
  return &api;
}
