// Stores and takes up the state of a training.
#include "core/intent/training_state.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/codec/bytes.h"
#include "core/codec/container.h"

namespace retrain {
namespace {

// Sections; a number is never used again for something else (4 to 6 were the last four with u32 throughout). A "small" number
// has as many bytes as the number of labels: 1, 2 or 4.
constexpr uint32_t kSettings = 1;     // configuration, calibration, number of labels, rows and duals
constexpr uint32_t kLabels = 2;       // strings, ascending
constexpr uint32_t kRows = 3;         // u64 per row, ascending
constexpr uint32_t kSigmoids = 7;     // calibration sigmoid only: f32 slope per label, then f32 intercept per label
constexpr uint32_t kLabelOf = 8;      // small per row
constexpr uint32_t kCounts = 9;       // small per row: its duals
constexpr uint32_t kDualLabels = 10;  // small per dual
constexpr uint32_t kAlphas = 11;      // f32 per dual
// Only of models with networks: their number, then for each u32 columns, hidden units and intents, then f32 arrays in the order
// of NetworkSquares.
constexpr uint32_t kNetworks = 12;
// Only where something was tuned: the configuration that asked for it, u8 smallest and largest n-grams of words and of characters,
// f64 c, u64 rows, u64 changed rows.
constexpr uint32_t kTuned = 13;
constexpr uint32_t kIntercepts = 14;  // f32 per label, only where the duals do not determine them

[[noreturn]] void Corrupted(const std::string& detail) {
  throw Error(ErrorCode::kDataCorrupted, "stored state of a training is corrupt", detail,
              "train with p_run_type => 'full'");
}

template <class T>
std::vector<T> ReadArray(std::span<const uint8_t> bytes, uint64_t n) {
  if (bytes.size() / sizeof(T) != n || bytes.size() % sizeof(T) != 0)
    Corrupted("an array has another size than stated");
  std::vector<T> values(n);
  if (n > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

template <class T>
std::vector<uint8_t> Bytes(const std::vector<T>& values) {
  ByteWriter out;
  out.PutArray(std::span<const T>(values));
  return out.Take();
}

std::vector<uint8_t> EncodeNetworkSquares(const std::vector<NetworkSquares>& networks) {
  ByteWriter out;
  out.Put(static_cast<uint32_t>(networks.size()));
  for (const NetworkSquares& network : networks) {
    for (const size_t size : {network.input.rows.size(), network.hidden_bias.size(), network.output_bias.size()})
      out.Put(static_cast<uint32_t>(size));
    for (const auto* numbers : {&network.input.rows, &network.input.columns, &network.output.rows,
                                &network.output.columns, &network.hidden_bias, &network.output_bias})
      out.PutArray(std::span<const float>(*numbers));
  }
  return out.Take();
}

std::vector<NetworkSquares> DecodeNetworkSquares(std::span<const uint8_t> bytes) {
  ByteReader in(bytes);
  std::vector<NetworkSquares> networks;
  for (auto left = in.Get<uint32_t>(); left > 0; --left) {
    const uint64_t columns = in.Get<uint32_t>(), hidden = in.Get<uint32_t>(), intents = in.Get<uint32_t>();
    const auto take = [&in](uint64_t n) {
      std::vector<float> numbers = ReadArray<float>(in.Take(n * sizeof(float)), n);
      for (const float number : numbers)
        if (!(number >= 0 && std::isfinite(number))) Corrupted("a sum of squares is not a positive number");
      return numbers;
    };
    NetworkSquares& network = networks.emplace_back();
    network.input = {take(columns), take(hidden)};
    network.output = {take(hidden), take(intents)};
    network.hidden_bias = take(hidden);
    network.output_bias = take(intents);
  }
  if (!in.empty()) Corrupted("there is more behind the last network");
  return networks;
}

std::vector<uint8_t> EncodeTunedChoice(const TunedChoice& tuned) {
  ByteWriter out;
  out.PutString(tuned.asked_for);
  for (const NgramRange& ngrams : {tuned.word_ngrams, tuned.char_ngrams}) {
    out.Put(ngrams.min);
    out.Put(ngrams.max);
  }
  out.Put(tuned.c);
  out.Put(tuned.rows);
  out.Put(tuned.changed_rows);
  return out.Take();
}

std::optional<TunedChoice> TunedChoiceOf(const ContainerReader& container) {
  if (!container.Has(kTuned)) return std::nullopt;
  ByteReader in(container.Section(kTuned));
  TunedChoice tuned;
  tuned.asked_for = in.GetString();
  for (NgramRange* ngrams : {&tuned.word_ngrams, &tuned.char_ngrams}) {
    ngrams->min = in.Get<uint8_t>();
    ngrams->max = in.Get<uint8_t>();
    if (ngrams->min > ngrams->max || ngrams->max > 16 || (ngrams->max > 0 && ngrams->min == 0))
      Corrupted("n-gram range out of order");
  }
  tuned.c = in.Get<double>();
  if (!(tuned.c > 0 && std::isfinite(tuned.c))) Corrupted("c is not a positive number");
  tuned.rows = in.Get<uint64_t>();
  tuned.changed_rows = in.Get<uint64_t>();
  return tuned;
}

size_t SmallBytes(uint64_t n_labels) noexcept { return n_labels <= UINT8_MAX ? 1 : n_labels <= UINT16_MAX ? 2 : 4; }

// The i-th of n numbers up to n_labels is number(i).
template <class Number>
std::vector<uint8_t> SmallNumbers(size_t n, uint64_t n_labels, const Number& number) {
  const size_t bytes = SmallBytes(n_labels);
  std::vector<uint8_t> out(n * bytes);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t value = number(i);
    for (size_t b = 0; b < bytes; ++b) out[i * bytes + b] = static_cast<uint8_t>(value >> (8 * b));
  }
  return out;
}

std::vector<uint32_t> ReadSmallNumbers(std::span<const uint8_t> in, uint64_t n, uint64_t n_labels) {
  const size_t bytes = SmallBytes(n_labels);
  if (in.size() / bytes != n || in.size() % bytes != 0) Corrupted("an array has another size than stated");
  std::vector<uint32_t> values(n);
  for (size_t i = 0; i < n; ++i)
    for (size_t b = 0; b < bytes; ++b) values[i] |= uint32_t{in[i * bytes + b]} << (8 * b);
  return values;
}

// Those of other classes; one that the state does not know gets the mean of the others'.
std::vector<float> InterceptsFor(std::span<const uint32_t> label_in_state, std::span<const float> intercepts) {
  if (intercepts.empty()) return {};
  const float mean =
      std::accumulate(intercepts.begin(), intercepts.end(), 0.0f) / static_cast<float>(intercepts.size());
  std::vector<float> out;
  for (const uint32_t label : label_in_state) out.push_back(label == kNotInState ? mean : intercepts[label]);
  return out;
}

}  // namespace

uint64_t ShortKey(const TextKey& key) noexcept {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof number; ++i) number = number << 8 | key[i];
  return number;
}

std::vector<uint8_t> EncodeTrainingState(const TrainingState& state) {
  ByteWriter settings, labels, alphas;
  settings.PutString(state.config);
  settings.Put(static_cast<uint8_t>(state.calibration.kind));
  settings.Put(state.calibration.inverse_temperature);
  settings.Put(state.uncalibrated_rows);
  settings.Put(static_cast<uint64_t>(state.labels.size()));
  settings.Put(static_cast<uint64_t>(state.rows.size()));
  settings.Put(static_cast<uint64_t>(state.duals.entries.size()));
  for (const std::string& label : state.labels) labels.PutString(label);
  const DualSolution& duals = state.duals;
  for (const auto& entry : duals.entries) alphas.Put(entry.alpha);
  const auto small = [n_labels = state.labels.size()](size_t n, const auto& number) {
    return SmallNumbers(n, n_labels, number);
  };
  ContainerWriter container;
  container.Add(kSettings, settings.Take());
  container.Add(kLabels, labels.Take());
  container.Add(kRows, Bytes(state.rows));
  if (state.calibration.kind == CalibrationKind::kSigmoid) {
    ByteWriter sigmoids;
    sigmoids.PutArray(std::span<const float>(state.calibration.slope));
    sigmoids.PutArray(std::span<const float>(state.calibration.intercept));
    container.Add(kSigmoids, sigmoids.Take());
  }
  container.Add(kLabelOf, small(state.label_of.size(), [&](size_t i) { return state.label_of[i]; }));
  container.Add(kCounts, small(state.rows.size(),
                               [&](size_t i) { return static_cast<uint32_t>(duals.begin[i + 1] - duals.begin[i]); }));
  container.Add(kDualLabels, small(duals.entries.size(), [&](size_t e) { return duals.entries[e].label; }));
  container.Add(kAlphas, alphas.Take());
  if (!duals.intercepts.empty()) container.Add(kIntercepts, Bytes(duals.intercepts));
  if (!state.networks.empty()) container.Add(kNetworks, EncodeNetworkSquares(state.networks));
  if (state.tuned) container.Add(kTuned, EncodeTunedChoice(*state.tuned));
  return container.Finish(ModelKind::kTrainingState);
}

TrainingState DecodeTrainingState(std::span<const uint8_t> bytes) {
  const ContainerReader container(bytes, Checksum::kCompare, ModelKind::kTrainingState);
  TrainingState state;
  ByteReader settings(container.Section(kSettings));
  state.config = settings.GetString();
  const auto kind = settings.Get<uint8_t>();
  if (kind > static_cast<uint8_t>(CalibrationKind::kSigmoid)) Corrupted("unknown calibration");
  state.calibration.kind = static_cast<CalibrationKind>(kind);
  state.calibration.inverse_temperature = settings.Get<double>();
  if (!std::isfinite(state.calibration.inverse_temperature)) Corrupted("the temperature is not a finite number");
  state.uncalibrated_rows = settings.Get<uint64_t>();
  const auto n_labels = settings.Get<uint64_t>(), n_rows = settings.Get<uint64_t>(), n_duals = settings.Get<uint64_t>();

  const auto label_bytes = container.Section(kLabels);
  if (label_bytes.size() / sizeof(uint32_t) < n_labels) Corrupted("there are fewer labels than stated");
  ByteReader labels(label_bytes);
  for (uint64_t k = 0; k < n_labels; ++k) {
    state.labels.emplace_back(labels.GetString());
    if (k > 0 && state.labels[k] <= state.labels[k - 1]) Corrupted("labels are out of order");
  }
  if (state.calibration.kind == CalibrationKind::kSigmoid) {
    std::vector<float> sigmoids = ReadArray<float>(container.Section(kSigmoids), 2 * n_labels);
    for (const float number : sigmoids)
      if (!std::isfinite(number)) Corrupted("a sigmoid is not finite");
    const auto half = sigmoids.begin() + static_cast<ptrdiff_t>(n_labels);
    state.calibration.slope.assign(sigmoids.begin(), half);
    state.calibration.intercept.assign(half, sigmoids.end());
  }
  state.rows = ReadArray<uint64_t>(container.Section(kRows), n_rows);
  if (!std::is_sorted(state.rows.begin(), state.rows.end())) Corrupted("rows are out of order");
  state.label_of = ReadSmallNumbers(container.Section(kLabelOf), n_rows, n_labels);
  for (const uint32_t label : state.label_of)
    if (label >= n_labels) Corrupted("the label of a row does not exist");
  for (const uint32_t count : ReadSmallNumbers(container.Section(kCounts), n_rows, n_labels))
    state.duals.begin.push_back(state.duals.begin.back() + count);
  if (state.duals.begin.back() != n_duals) Corrupted("the duals do not add up");
  const std::vector<uint32_t> dual_labels = ReadSmallNumbers(container.Section(kDualLabels), n_duals, n_labels);
  const std::vector<float> alphas = ReadArray<float>(container.Section(kAlphas), n_duals);
  state.duals.entries.resize(n_duals);
  for (size_t i = 0; i < n_rows; ++i) {
    for (uint64_t e = state.duals.begin[i]; e < state.duals.begin[i + 1]; ++e) {
      const DualSolution::Entry entry{dual_labels[e], alphas[e]};
      if (entry.label >= n_labels || (e > state.duals.begin[i] && entry.label <= state.duals.entries[e - 1].label))
        Corrupted("the label of a dual does not exist or is out of order");
      if (!(entry.alpha >= 0 && std::isfinite(entry.alpha))) Corrupted("a dual is not a positive number");
      state.duals.entries[e] = entry;
    }
  }
  if (container.Has(kIntercepts)) state.duals.intercepts = ReadArray<float>(container.Section(kIntercepts), n_labels);
  for (const float intercept : state.duals.intercepts)
    if (!std::isfinite(intercept)) Corrupted("an intercept is not finite");
  if (container.Has(kNetworks)) state.networks = DecodeNetworkSquares(container.Section(kNetworks));
  state.tuned = TunedChoiceOf(container);
  return state;
}

std::optional<TunedChoice> DecodeTunedChoice(std::span<const uint8_t> bytes) {
  return TunedChoiceOf(ContainerReader(bytes, Checksum::kCompare, ModelKind::kTrainingState));
}

Restart RestartFrom(const TrainingState& state, std::span<const uint64_t> rows, std::span<const uint32_t> labels,
                    std::span<const std::string> names) {
  Restart restart;
  std::vector<uint32_t> class_of;  // of the state's labels; ascending where known, since both lists of names ascend
  for (const std::string& label : state.labels) {
    const auto it = std::lower_bound(names.begin(), names.end(), label);
    class_of.push_back(it != names.end() && *it == label ? static_cast<uint32_t>(it - names.begin()) : kNotInState);
  }
  restart.label_in_state.assign(names.size(), kNotInState);
  for (uint32_t label = 0; label < class_of.size(); ++label)
    if (class_of[label] != kNotInState) restart.label_in_state[class_of[label]] = label;
  restart.start.intercepts = InterceptsFor(restart.label_in_state, state.duals.intercepts);
  size_t at = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    while (at < state.rows.size() && state.rows[at] < rows[i]) ++at, ++restart.gone_rows;
    const bool seen = at < state.rows.size() && state.rows[at] == rows[i],
               known = seen && class_of[state.label_of[at]] == labels[i];
    if (known) {
      for (uint64_t e = state.duals.begin[at]; e < state.duals.begin[at + 1]; ++e) {
        const auto& entry = state.duals.entries[e];
        if (class_of[entry.label] != kNotInState) restart.start.entries.push_back({class_of[entry.label], entry.alpha});
      }
      ++at;
    } else {
      restart.fresh_rows.push_back(static_cast<uint32_t>(i));
      restart.was_other.push_back(seen);
    }
    restart.start.begin.push_back(restart.start.entries.size());
  }
  restart.gone_rows += state.rows.size() - at;
  return restart;
}

}  // namespace retrain
