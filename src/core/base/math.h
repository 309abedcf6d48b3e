// exp() and log() with the same bits on every CPU.
//
// libm picks FMA variants at run time, so its last bit depends on the machine. A model artifact must not, so training
// uses these: plain double arithmetic in a fixed order, correct to about 1 unit in the last place (tested against libm).
#pragma once

namespace retrain {

double Exp(double x) noexcept;  // 0 below -745.2, +inf above 709.8
double Log(double x) noexcept;  // x > 0; -inf at 0, NaN below

}  // namespace retrain
