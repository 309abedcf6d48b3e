// Stored table models are hostile bytes, and so are the files of other programs that are imported: whatever they are, reading
// them either refuses them or gives a model that scores and explains.
//
// The checksum is put right first, since a random change would otherwise never get past it.
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/codec/crc32c.h"
#include "core/tabular/table_model.h"

namespace {

void Ask(const retrain::TableModel& model) {
  static const char* const texts[] = {"red", "", "Ames", "3"};
  const auto owner = model.NewScratch();
  auto& scratch = static_cast<retrain::TableScratch&>(*owner);
  for (int round = 0; round < 3; ++round) {
    for (size_t c = 0; c < scratch.cells.size(); ++c) {
      scratch.cells[c] = {round == 2, round == 0 ? -1e300 : 3.5, {}};
      if (model.encoder().columns()[c].kind == retrain::ColumnKind::kCategory) scratch.cells[c].text = texts[c % 4];
    }
    model.Score(scratch);
    uint32_t output = 0;
    if (model.task() == retrain::TableTask::kClassification) {
      model.Probabilities(scratch);
      output = retrain::TableModel::Best(scratch.probabilities);
    } else if (model.task() == retrain::TableTask::kRegression) {
      model.Value(scratch);
    } else {
      output = model.Nearest(scratch);
      model.Centroid(output);
    }
    double base = 0;
    model.Contributions(scratch, output, retrain::Stop{}, base);
  }
  model.Describe();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    if (size > 0 && data[0] == '{') {
      const std::string_view names[] = {"a", "b", "c"};
      retrain::ReadBudget budget(retrain::Stop{}, 64 << 20);
      const auto artifact = retrain::ImportXgboost({data, size}, names, {}, budget);
      Ask(retrain::TableModel(artifact));
      return 0;
    }
    std::vector<uint8_t> artifact(data, data + size);
    if (size >= 32) {
      const uint64_t total = size;
      std::memcpy(artifact.data() + 16, &total, sizeof total);
      const uint32_t crc = retrain::Crc32c(std::span<const uint8_t>(artifact).subspan(28));
      std::memcpy(artifact.data() + 24, &crc, sizeof crc);
    }
    Ask(retrain::TableModel(artifact));
  } catch (const retrain::Error&) {
  }
  return 0;
}
