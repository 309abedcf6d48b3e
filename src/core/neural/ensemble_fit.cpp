// Networks as independent tasks: as many at once as there are threads.
#include "core/neural/ensemble_fit.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linear/problem.h"
#include "core/neural/network_fit.h"

namespace retrain {
namespace {

void Check(const NetworkProblem& problem, const NetworkOptions& options) {
  const auto refuse = [](const char* message) { throw Error(ErrorCode::kInvalidParameter, message); };
  if (problem.rows == nullptr || problem.train_rows.empty()) refuse("no training rows");
  const size_t n = problem.rows->rows();
  if (problem.labels.size() != n || problem.row_weights.size() != n) refuse("every row needs a label and a weight");
  for (const uint32_t row : problem.train_rows)
    if (row >= n) refuse("training row out of range");
  if (problem.n_classes < 2) refuse("a classifier needs at least two classes");
  for (const uint32_t label : problem.labels)
    if (label >= problem.n_classes) refuse("label out of range");
  if (options.hidden < 16 || options.hidden % 16 != 0) refuse("hidden units must be a multiple of 16");
  if (options.passes < 1 || options.ranges.empty()) refuse("no passes or no networks");
  for (const ColumnRange& range : options.ranges)
    if (range.first >= range.last || range.last > problem.rows->columns) refuse("a network's columns are out of range");
  if (options.restart == nullptr) return;
  const NetworkRestart& restart = *options.restart;
  if (restart.networks.size() != options.ranges.size() || restart.squares.size() != options.ranges.size())
    refuse("every network needs one to go on from");
  if (restart.column_of.size() != problem.rows->columns || restart.class_of.size() != problem.n_classes)
    refuse("every column and class needs one to go on from");
  for (size_t m = 0; m < restart.networks.size(); ++m) {
    const NetworkView& network = restart.networks[m];
    if (network.hidden != options.hidden) refuse("a network to go on from has another number of hidden units");
    if (!AreOf(restart.squares[m], network)) refuse("squared gradients of another network");
    for (const uint32_t k : restart.class_of)
      if (k != NetworkRestart::kNotThere && k >= network.stride) refuse("class to go on from out of range");
  }
}

class Fit final : public EnsembleFit {
 public:
  Fit(const NetworkProblem& problem, const NetworkOptions& options)
      : problem_(problem), options_(options), networks_(options.ranges.size()), squares_(options.ranges.size()) {
    Check(problem, options);
    visits_ = NetworkVisits(problem, options);
  }

  bool Step(const StepBudget& budget) override {
    if (done_ < networks_.size()) {
      const size_t workers =
          std::min<size_t>(static_cast<size_t>(std::max(budget.threads, 1)), networks_.size() - done_);
      ParallelFor(workers, budget.threads, [&](size_t) { Work(budget); });
    }
    return done_ == networks_.size();
  }

  double Progress() const override {
    const double all = static_cast<double>(visits_) * static_cast<double>(networks_.size());
    return static_cast<double>(rows_done_.load(std::memory_order_relaxed)) / all;
  }

  std::vector<Network> TakeNetworks() override { return std::move(networks_); }
  std::vector<NetworkSquares> TakeSquares() override { return std::move(squares_); }

 private:
  struct Task {
    size_t which = 0;
    std::unique_ptr<NetworkFit> fit;
  };

  // One worker: advances networks until the budget ends or none is left; at least one slice, unless it is to stop.
  void Work(const StepBudget& budget) {
    if (budget.stop.Requested()) return;
    do {
      Task task = Take();
      if (!task.fit) return;
      bool done = false;
      do {
        done = task.fit->Resume();
      } while (!done && !budget.Expired());
      if (done) {
        networks_[task.which] = task.fit->TakeNetwork();
        squares_[task.which] = task.fit->TakeSquares();
      }
      const std::lock_guard<std::mutex> lock(mutex_);
      done ? void(++done_) : paused_.push_back(std::move(task));
    } while (!budget.Expired());
  }

  // Paused networks go on before new ones begin, so that there are never more in memory than workers.
  Task Take() {
    Task task;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!paused_.empty()) {
        task = std::move(paused_.front());
        paused_.pop_front();
        return task;
      }
      if (next_ == networks_.size()) return task;
      task.which = next_++;
    }
    task.fit = std::make_unique<NetworkFit>(problem_, options_, task.which, rows_done_);
    return task;
  }

  NetworkProblem problem_;
  NetworkOptions options_;
  std::vector<Network> networks_;
  std::vector<NetworkSquares> squares_;
  uint64_t visits_ = 0;  // of each network
  std::atomic<uint64_t> rows_done_{0};
  std::mutex mutex_;  // guards the members below while workers run
  std::deque<Task> paused_;
  size_t next_ = 0, done_ = 0;
};

}  // namespace

std::unique_ptr<EnsembleFit> MakeEnsembleFit(const NetworkProblem& problem, const NetworkOptions& options) {
  return std::make_unique<Fit>(problem, options);
}

uint64_t EnsembleFitBytes(uint64_t n_rows, uint64_t n_classes, const NetworkOptions& options, int threads) {
  const uint64_t stride = n_classes / 16 * 16 + 16;
  const uint64_t running = std::min<uint64_t>(static_cast<uint64_t>(std::max(threads, 1)), options.ranges.size());
  uint64_t widest = 0;
  ByteSum sum;
  for (const ColumnRange& range : options.ranges) {
    widest = std::max<uint64_t>(widest, range.last - range.first);
    sum.Add({3, NetworkBytes(range.last - range.first, options.hidden, stride)});
    sum.Add({sizeof(float), range.last - range.first + 3 * uint64_t{options.hidden} + 2 * stride});
  }
  return sum.Add({running, NetworkFit::Bytes(n_rows, widest, options.hidden, stride)}).total();
}

}  // namespace retrain
