// Statistics of experiments: arms compared, the sample ratio, power, and the name that was meant.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/stats/comparison.h"
#include "core/stats/distributions.h"
#include "core/stats/power.h"
#include "core/stats/sequential.h"
#include "pg/guard.h"
#include "pg/materialized.h"
#include "pg/owned.h"
#include "pg/pg.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/varlena.h"
}

RETRAIN_FUNCTION(retrain_compare_arms);
RETRAIN_FUNCTION(retrain_sample_ratio);
RETRAIN_FUNCTION(retrain_closest_name);
RETRAIN_FUNCTION(experiment_power);
RETRAIN_FUNCTION(experiment_sample_size);

static constexpr double kPowerOfDetectable = 0.8;

// ---- arguments -------------------------------------------------------------------------------------------------------

struct Doubles {
  const double* values;
  int size;
};

// A one-dimensional array of numbers without nulls; the functions that call these give no other.
static Doubles doubles_argument(FunctionCallInfo fcinfo, int argument) {
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
  if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("an array of numbers without nulls is expected"),
                    errdetail("Argument %d is another.", argument + 1)));
  return {reinterpret_cast<double*>(ARR_DATA_PTR(array)), ARR_DIMS(array)[0]};
}

static double number_argument(FunctionCallInfo fcinfo, int argument, const char* name, double low, double high) {
  const double value = PG_ARGISNULL(argument) ? NAN : PG_GETARG_FLOAT8(argument);
  if (!(value > low && value < high))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is out of range", name),
                    PG_ARGISNULL(argument) ? errdetail("The value given is null.")
                                           : errdetail("The value given is %g.", value),
                    errhint("It is a number above %g and below %g.", low, high)));
  return value;
}

// ---- arms ------------------------------------------------------------------------------------------------------------

struct ArmRow {
  double stddev;
  double difference, difference_low, difference_high;
  double uplift, low, high, p_value;
  double sequential_p_value, sequential_low, sequential_high;
  double cuped_mean, cuped_uplift, cuped_low, cuped_high, cuped_p_value, variance_reduction;
  double detectable_uplift;
  double final_p_value, final_low, final_high;
};
static constexpr int kArmNumbers = sizeof(ArmRow) / sizeof(double);
static_assert(kArmNumbers == 21);

struct ArmsQuestion {
  Doubles n, mean, m2, mean_x, m2_x, cxy;  // mean_x.values is null when there is no covariate
  bool binary;
  double alpha, planned_units;
  int control;
};

static ArmRow CompareWithControl(const ArmsQuestion& question, const retrain::ArmEstimate& control,
                                 const retrain::ArmEstimate& treatment, retrain::ArmEstimate adjusted_control,
                                 retrain::ArmEstimate adjusted_treatment) {
  ArmRow row;
  const retrain::Difference d = retrain::Compare(control, treatment);
  const double critical = retrain::StudentCritical(question.alpha, d.df);
  const retrain::Interval difference = d.Around(critical), uplift = d.UpliftAround(critical);
  row.difference = d.value, row.difference_low = difference.low, row.difference_high = difference.high;
  row.uplift = d.uplift, row.low = uplift.low, row.high = uplift.high;
  row.p_value = question.binary ? retrain::TwoProportionPValue(control, treatment) : retrain::WelchPValue(d);

  if (question.binary) retrain::VaryAsOne(adjusted_control, adjusted_treatment);
  const retrain::Difference a = retrain::Compare(adjusted_control, adjusted_treatment);
  const retrain::Interval adjusted = a.UpliftAround(retrain::StudentCritical(question.alpha, a.df));
  row.cuped_uplift = a.uplift, row.cuped_low = adjusted.low, row.cuped_high = adjusted.high;
  row.cuped_p_value = retrain::WelchPValue(a);

  // What decides at the planned end: the larger standard error counts, as in CompareSequentially().
  const double caution = std::fmax(1, a.pooled_error / a.standard_error);
  const retrain::Interval final = a.UpliftAround(caution * retrain::StudentCritical(question.alpha, a.df));
  row.final_p_value = question.binary && question.mean_x.values == nullptr
                          ? row.p_value
                          : retrain::StudentTwoSided(a.value / a.standard_error / caution, a.df);
  row.final_low = final.low, row.final_high = final.high;

  const retrain::SequentialComparison always =
      retrain::CompareSequentially({question.alpha, question.planned_units}, a);
  row.sequential_p_value = always.p_value;
  row.sequential_low = always.uplift.low, row.sequential_high = always.uplift.high;
  row.detectable_uplift =
      (retrain::NormalQuantile(1 - question.alpha / 2) + retrain::NormalQuantile(kPowerOfDetectable)) *
      a.standard_error / std::fabs(a.control.mean);
  return row;
}

static std::vector<ArmRow> CompareArms(const ArmsQuestion& question) {
  const int arms = question.n.size;
  const bool covariate = question.mean_x.values != nullptr;
  std::vector<retrain::PairedMoments> moments(arms);
  std::vector<retrain::ArmEstimate> plain(arms), adjusted(arms);
  for (int i = 0; i < arms; ++i) {
    moments[i].y = {question.n.values[i], question.mean.values[i], question.m2.values[i]};
    plain[i] = retrain::Estimate(moments[i].y);
    if (covariate) {
      moments[i].x = {question.n.values[i], question.mean_x.values[i], question.m2_x.values[i]};
      moments[i].cxy = question.cxy.values[i];
    }
  }
  const retrain::Cuped cuped = retrain::Adjust(moments, adjusted);
  double undefined[kArmNumbers];
  std::fill_n(undefined, kArmNumbers, NAN);
  ArmRow nothing;
  memcpy(&nothing, undefined, sizeof nothing);
  std::vector<ArmRow> rows(arms, nothing);
  for (int i = 0; i < arms; ++i) {
    if (i != question.control)
      rows[i] =
          CompareWithControl(question, plain[question.control], plain[i], adjusted[question.control], adjusted[i]);
    rows[i].stddev = std::sqrt(plain[i].variance);
    rows[i].cuped_mean = adjusted[i].mean;
    rows[i].variance_reduction = cuped.variance_reduction;
    if (!covariate)
      rows[i].cuped_mean = rows[i].cuped_uplift = rows[i].cuped_low = rows[i].cuped_high = rows[i].cuped_p_value =
          rows[i].variance_reduction = NAN;
  }
  return rows;
}

// Rows (arm, and the numbers of ArmRow), one for each arm; what is not defined is null.
Datum retrain_compare_arms(PG_FUNCTION_ARGS) {
  ReturnSetInfo* result = begin_materialized(fcinfo);
  const bool covariate = !PG_ARGISNULL(4);
  for (int i = 0; i < 10; ++i)
    if (PG_ARGISNULL(i) && (i < 4 || i > 6))
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument %d is null", i + 1)));
  ArmsQuestion question = {};
  question.binary = PG_GETARG_BOOL(0);
  question.n = doubles_argument(fcinfo, 1);
  question.mean = doubles_argument(fcinfo, 2);
  question.m2 = doubles_argument(fcinfo, 3);
  int sizes_differ = question.mean.size != question.n.size || question.m2.size != question.n.size;
  if (covariate && !PG_ARGISNULL(5) && !PG_ARGISNULL(6)) {
    question.mean_x = doubles_argument(fcinfo, 4);
    question.m2_x = doubles_argument(fcinfo, 5);
    question.cxy = doubles_argument(fcinfo, 6);
    sizes_differ |= question.mean_x.size != question.n.size || question.m2_x.size != question.n.size ||
                    question.cxy.size != question.n.size;
  }
  question.alpha = number_argument(fcinfo, 7, "p_alpha", 0, 1);
  question.planned_units = number_argument(fcinfo, 8, "p_planned_units", 0, HUGE_VAL);
  question.control = PG_GETARG_INT32(9) - 1;
  if (sizes_differ || question.control < 0 || question.control >= question.n.size)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the arrays of the arms do not fit together")));
  using Rows = std::vector<ArmRow>;
  const auto* rows = make_owned<Rows>(CurrentMemoryContext, [&] { return new Rows(CompareArms(question)); });
  for (size_t arm = 0; arm < rows->size(); ++arm) {
    double numbers[kArmNumbers];
    memcpy(numbers, &(*rows)[arm], sizeof numbers);
    Datum values[1 + kArmNumbers];
    bool nulls[1 + kArmNumbers] = {};
    values[0] = Int32GetDatum(static_cast<int32>(arm) + 1);
    for (int i = 0; i < kArmNumbers; ++i) {
      values[1 + i] = Float8GetDatum(numbers[i]);
      nulls[1 + i] = !std::isfinite(numbers[i]);
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return static_cast<Datum>(0);
}

// ---- sample ratio ----------------------------------------------------------------------------------------------------

// One row (chi_square, df, p_value, sequential_p_value); nulls as long as there is no unit.
Datum retrain_sample_ratio(PG_FUNCTION_ARGS) {
  const Doubles counts = doubles_argument(fcinfo, 0);
  const Doubles weights = doubles_argument(fcinfo, 1);
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("return type must be a row type")));
  double units = 0;
  for (int i = 0; i < counts.size; ++i) units += counts.values[i];
  retrain::SampleRatio ratio = {};
  if (units > 0)
    guarded([&] {
      ratio = retrain::TestSampleRatio({counts.values, static_cast<size_t>(counts.size)},
                                       {weights.values, static_cast<size_t>(weights.size)});
    });
  const double numbers[4] = {ratio.chi_square, ratio.df, ratio.p_value, ratio.sequential_p_value};
  Datum values[4];
  bool nulls[4];
  for (int i = 0; i < 4; ++i) {
    values[i] = Float8GetDatum(numbers[i]);
    nulls[i] = !(units > 0);
  }
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

// ---- power -----------------------------------------------------------------------------------------------------------

// Arguments 0 p_baseline, 1 p_uplift; `stddev`, `alpha` say where the others are.
static retrain::PowerQuestion power_question(FunctionCallInfo fcinfo, int stddev, int alpha) {
  retrain::PowerQuestion question;
  question.proportion = PG_ARGISNULL(stddev);
  question.control_mean =
      number_argument(fcinfo, 0, "p_baseline", question.proportion ? 0 : -HUGE_VAL, question.proportion ? 1 : HUGE_VAL);
  const double uplift = number_argument(fcinfo, 1, "p_uplift", -HUGE_VAL, HUGE_VAL);
  if (question.control_mean == 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_baseline is 0"),
                    errhint("an uplift is a share of the baseline")));
  if (uplift == 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_uplift is 0"),
                    errhint("say what would be worth finding, for example 0.05 for five percent")));
  question.treatment_mean = question.control_mean + std::fabs(question.control_mean) * uplift;
  if (question.proportion && !(question.treatment_mean >= 0 && question.treatment_mean <= 1))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_uplift leads to a share that is none"),
                    errdetail("%g of %g is %g.", 1 + uplift, question.control_mean, question.treatment_mean),
                    errhint("p_uplift is relative: 0.05 is five percent of p_baseline")));
  if (!question.proportion) question.stddev = number_argument(fcinfo, stddev, "p_stddev", 0, HUGE_VAL);
  question.alpha = number_argument(fcinfo, alpha, "p_alpha", 0, 1);
  return question;
}

// experiment_power(p_baseline, p_uplift, p_units, p_stddev, p_alpha, p_treatment_ratio)
Datum experiment_power(PG_FUNCTION_ARGS) {
  const retrain::PowerQuestion question = power_question(fcinfo, 3, 4);
  const double ratio = number_argument(fcinfo, 5, "p_treatment_ratio", 0, 1e6);
  if (PG_ARGISNULL(2) || PG_GETARG_INT64(2) < 2 || ratio * static_cast<double>(PG_GETARG_INT64(2)) < 2)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("p_units is out of range"),
                    errhint("each variant has at least two units")));
  const double units = static_cast<double>(PG_GETARG_INT64(2));
  double power = 0;
  guarded([&] { power = retrain::Power(question, units, std::ceil(units * ratio)); });
  PG_RETURN_FLOAT8(power);
}

// experiment_sample_size(p_baseline, p_uplift, p_stddev, p_power, p_alpha, p_treatment_ratio)
Datum experiment_sample_size(PG_FUNCTION_ARGS) {
  const retrain::PowerQuestion question = power_question(fcinfo, 2, 4);
  const double power = number_argument(fcinfo, 3, "p_power", 0, 1);
  const double ratio = number_argument(fcinfo, 5, "p_treatment_ratio", 0, 1e6);
  double units = 0;
  guarded([&] { units = retrain::SampleSize(question, power, ratio); });
  PG_RETURN_INT64(static_cast<int64>(units));
}

// ---- names -----------------------------------------------------------------------------------------------------------

// The name that a misspelt one may have meant, or null.
Datum retrain_closest_name(PG_FUNCTION_ARGS) {
  const text* word = PG_GETARG_TEXT_PP(0);
  const int length = static_cast<int>(VARSIZE_ANY_EXHDR(word));
  Datum* names;
  bool* nulls;
  int n;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
  constexpr int kLongest = 255;
  int best = -1, distance = 1 + (length + 2) / 3;
  for (int i = 0; i < n && length <= kLongest; ++i) {
    if (nulls[i]) continue;
    const text* name = DatumGetTextPP(names[i]);
    const int size = static_cast<int>(VARSIZE_ANY_EXHDR(name));
    if (size > kLongest) continue;
    const int d =
        varstr_levenshtein_less_equal(VARDATA_ANY(word), length, VARDATA_ANY(name), size, 1, 1, 1, distance - 1, true);
    if (d < distance) {
      best = i;
      distance = d;
    }
  }
  if (best < 0) PG_RETURN_NULL();
  PG_RETURN_DATUM(names[best]);
}
