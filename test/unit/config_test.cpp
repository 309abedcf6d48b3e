// Hyper-parameters: presets, ranges, and errors that help.
#include "core/intent/config.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace retrain {
namespace {

using Type = ConfigValue::Type;

ConfigValue Text(std::string_view key, std::string_view value) { return {key, Type::kString, false, 0, value, {}}; }
ConfigValue Number(std::string_view key, double value) { return {key, Type::kNumber, false, value, {}, {}}; }
ConfigValue Bool(std::string_view key, bool value) { return {key, Type::kBool, value, 0, {}, {}}; }
ConfigValue Null(std::string_view key) { return {key, Type::kNull, false, 0, {}, {}}; }
ConfigValue Numbers(std::string_view key, std::span<const double> values) {
  return {key, Type::kNumbers, false, 0, {}, values};
}

IntentConfig Parse(std::vector<ConfigValue> values) { return ParseIntentConfig(values); }

Error Rejection(const ConfigValue& value) {
  try {
    Parse({value});
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted " << value.key;
  return Error(ErrorCode::kInternal, "");
}

TEST(Config, ClassicIsTheOriginalRecipe) {
  const IntentConfig c = Parse({Text("preset", "classic")});
  EXPECT_EQ(c.analyzer.word_ngrams.min, 1);
  EXPECT_EQ(c.analyzer.word_ngrams.max, 3);
  EXPECT_FALSE(c.analyzer.char_ngrams.enabled());
  EXPECT_EQ(c.analyzer.folding, AccentFolding::kSpanish);
  EXPECT_EQ(c.max_features, 10000u);
  EXPECT_EQ(c.min_df, 1);
  EXPECT_FALSE(c.sublinear_tf);
  EXPECT_TRUE(c.balanced);
  EXPECT_EQ(c.calibration, CalibrationKind::kSigmoid);
  EXPECT_EQ(c.c, 1.0);
  EXPECT_EQ(c.seed, 42u);
}

TEST(Config, ThePresetComesFirstWhereverItStands) {
  const IntentConfig c = Parse({Number("max_features", 77), Text("preset", "classic")});
  EXPECT_EQ(c.max_features, 77u);
  EXPECT_TRUE(c.balanced);
}

TEST(Config, NetworksNeedTheirCalibration) {
  const IntentConfig c = Parse({Text("preset", "accurate")});
  EXPECT_EQ(c.networks, 8u);
  EXPECT_EQ(c.calibration, CalibrationKind::kSoftmax);
  EXPECT_EQ(Parse({Text("preset", "accurate"), Null("networks")}).networks, 0u);
  for (const char* calibration : {"sigmoid", "none"}) {
    EXPECT_THROW(Parse({Text("preset", "accurate"), Text("calibration", calibration)}), Error);
    EXPECT_NO_THROW(Parse({Text("preset", "accurate"), Text("calibration", calibration), Number("networks", 0)}));
  }
}

TEST(Config, AKeyThatWasMeantIsNamed) {
  EXPECT_EQ(Rejection(Number("max_feature", 5)).hint(), "did you mean \"max_features\"?");
  EXPECT_EQ(Rejection(Text("calibraton", "softmax")).hint(), "did you mean \"calibration\"?");
  EXPECT_EQ(Rejection(Number("C", 1)).hint(), "did you mean \"c\"?");
  EXPECT_EQ(Rejection(Number("MAX_FEATURES", 1)).hint(), "did you mean \"max_features\"?");
  EXPECT_EQ(Rejection(Number("d", 1)).hint(), "remove the key");
  const Error far = Rejection(Number("frobnicate", 5));
  EXPECT_EQ(far.hint(), "remove the key");
  EXPECT_NE(far.detail().find("word_ngrams"), std::string::npos);
  EXPECT_EQ(far.code(), ErrorCode::kInvalidParameter);
}

TEST(Config, WrongValuesNameTheKeyAndTheRange) {
  const double reversed[] = {3, 1}, zero[] = {0, 2}, fraction[] = {1.5, 2}, three[] = {1, 2, 3}, wide[] = {1, 99};
  const double bad_split[] = {0.5, 0.1, 0.1}, no_train[] = {0, 0.5, 0.5};
  for (const ConfigValue& value : {Number("c", 0),
                                   Number("c", -1),
                                   Number("c", 1e300),
                                   Text("c", "big"),
                                   Numbers("word_ngrams", reversed),
                                   Numbers("word_ngrams", zero),
                                   Numbers("word_ngrams", fraction),
                                   Numbers("word_ngrams", three),
                                   Numbers("char_ngrams", wide),
                                   Number("min_df", -1),
                                   Number("min_df", 1.5),
                                   Number("max_df", 0),
                                   Number("max_features", -1),
                                   Number("max_features", 1e12),
                                   Number("folds", 1),
                                   Number("folds", 21),
                                   Number("seed", -1),
                                   Number("seed", 0.5),
                                   Bool("class_weight", true),
                                   Text("classifier", "svm"),
                                   Text("calibration", "isotonic"),
                                   Text("strip_accents", "ascii"),
                                   Number("text_stats", 1),
                                   Numbers("split", bad_split),
                                   Numbers("split", no_train),
                                   Text("preset", "fast"),
                                   Number("networks", 33),
                                   Number("networks", 1.5),
                                   Text("networks", "8"),
                                   Number("hidden_units", 0),
                                   Number("hidden_units", 100),
                                   Number("hidden_units", 2048),
                                   Number("passes", -1),
                                   Number("passes", 201),
                                   Null("sublinear_tf")}) {
    const Error error = Rejection(value);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidParameter);
    EXPECT_NE(error.message().find(std::string(value.key)), std::string::npos) << value.key;
    EXPECT_NE(error.detail().find("accepted: "), std::string::npos) << value.key;
  }
}

TEST(Config, NoFeaturesAtAllIsAnError) {
  EXPECT_THROW(Parse({Null("word_ngrams"), Bool("char_ngrams", false)}), Error);
  EXPECT_NO_THROW(Parse({Null("word_ngrams"), Null("char_ngrams"), Bool("text_stats", true)}));
}

TEST(Config, EveryKeyIsDocumentedAndWritten) {
  const std::string json = ToJson(IntentConfig{});
  const auto reference = IntentParameterReference();
  EXPECT_GE(reference.size(), 15u);
  for (const auto& doc : reference) {
    EXPECT_NE(json.find("\"" + doc.name + "\":" + doc.default_value), std::string::npos) << doc.name;
    EXPECT_FALSE(doc.range.empty() || doc.description.empty()) << doc.name;
  }
}

}  // namespace
}  // namespace retrain
