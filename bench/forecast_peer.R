# Forecasts of R's forecast package and of Prophet, for bench/forecast: one line for each series, method and step.
#
# usage: Rscript bench/forecast_peer.R SERIES.csv FORECASTS.csv METHOD [SERIES_COUNT]
#   SERIES.csv     series,frequency,horizon,ds,y of the training parts only, in time order
#   FORECASTS.csv  series,method,step,yhat,lower80,upper80,lower95,upper95
#   METHOD         ets | thetaf | snaive | prophet
#   SERIES_COUNT   only so many series, drawn with a fixed seed
# Prints the method, the number of series, the seconds that fitting and forecasting took, and the seconds of processor time.
suppressPackageStartupMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
data <- read.csv(args[1], colClasses = c("character", "integer", "integer", "character", "numeric"))
method <- args[3]
names <- unique(data$series)
if (length(args) > 3 && as.integer(args[4]) < length(names)) {
  set.seed(42, kind = "Mersenne-Twister", sample.kind = "Rejection")
  names <- sort(sample(names, as.integer(args[4])))
}
if (method == "prophet") {
  suppressPackageStartupMessages(library(prophet))
}

by_package <- function(part, horizon) {
  y <- ts(part$y, frequency = part$frequency[1])
  f <- switch(method,
    ets = forecast(ets(y), h = horizon, level = c(80, 95)),
    thetaf = thetaf(y, h = horizon, level = c(80, 95)),
    snaive = snaive(y, h = horizon, level = c(80, 95)))
  data.frame(yhat = as.numeric(f$mean), lower80 = as.numeric(f$lower[, 1]), upper80 = as.numeric(f$upper[, 1]),
    lower95 = as.numeric(f$lower[, 2]), upper95 = as.numeric(f$upper[, 2]))
}

# Prophet draws its intervals at random and knows one level a fit; the second level takes the same fit.
by_prophet <- function(part, horizon) {
  unit <- c("year", "quarter", "month")[match(part$frequency[1], c(1, 4, 12))]
  frame <- data.frame(ds = as.Date(part$ds), y = part$y)
  set.seed(42)
  fit <- suppressMessages(prophet(frame, interval.width = 0.95, weekly.seasonality = FALSE, daily.seasonality = FALSE))
  future <- make_future_dataframe(fit, periods = horizon, freq = unit, include_history = FALSE)
  f <- predict(fit, future)
  fit$interval.width <- 0.8
  g <- predict(fit, future)
  data.frame(yhat = f$yhat, lower80 = g$yhat_lower, upper80 = g$yhat_upper, lower95 = f$yhat_lower,
    upper95 = f$yhat_upper)
}

spent <- proc.time() * 0
out <- vector("list", length(names))
parts <- split(data, data$series)
for (i in seq_along(names)) {
  part <- parts[[names[i]]]
  horizon <- part$horizon[1]
  start <- proc.time()
  forecasts <- if (method == "prophet") by_prophet(part, horizon) else by_package(part, horizon)
  spent <- spent + (proc.time() - start)
  out[[i]] <- cbind(series = names[i], method = method, step = seq_len(horizon), forecasts)
}
write.csv(do.call(rbind, out), args[2], row.names = FALSE, quote = FALSE)
cat(method, length(names), spent[["elapsed"]], spent[["user.self"]] + spent[["sys.self"]], "\n")
