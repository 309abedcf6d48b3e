// The table of the kinds of models: one line for each.
#include "core/forecast/model.h"
#include "core/intent/model.h"
#include "core/model/served_model.h"
#include "core/tabular/table_model.h"

namespace retrain {

template <class Model>
static std::unique_ptr<ServedModel> Decode(std::span<const uint8_t> artifact, Checksum checksum) {
  return std::make_unique<Model>(artifact, checksum);
}

static constexpr struct {
  ModelKind kind;
  std::unique_ptr<ServedModel> (*decode)(std::span<const uint8_t>, Checksum);
} kKinds[] = {
    {ModelKind::kIntent, Decode<IntentModel>},
    {ModelKind::kForecast, Decode<ForecastModel>},
    {ModelKind::kTable, Decode<TableModel>},
};

std::unique_ptr<ServedModel> DecodeModel(std::span<const uint8_t> artifact, Checksum checksum) {
  const uint32_t stated = StatedKind(artifact);
  for (const auto& [kind, decode] : kKinds)
    if (static_cast<uint32_t>(kind) == stated) return decode(artifact, checksum);
  // Neither too short nor of a known kind: the container says which of the two it is, and in which words.
  return kKinds[0].decode(artifact, checksum);
}

}  // namespace retrain
