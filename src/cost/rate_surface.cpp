// How a rate at any batch and size follows from the rates at some.
//
// In:   points: a batch, a size, and the rate that was measured there. Then a batch and a size.
// Out:  the rate there. Beyond the points, it is the rate of the nearest one.
//
//     batch 512   o-----------o          levels: points of equal batch, ascending
//     batch  64        o------o-----o    points of a level: ascending size
//     batch   1   o-----o     x <------- asked: along the sizes of the two levels around, then
//                                        between the levels; both straight in logarithms
//
// Trap: more work must never take less time. Time is work / rate, so a rate that grows faster than
// the size (or than the batch) is lowered until it grows as fast. A lowered point lowers the points
// behind it, so the walk goes from the smaller points to the larger ones.
#include "cost/rate_surface.h"

#include <algorithm>
#include <cmath>

namespace pshard {

namespace {

double between(double x, double x0, double y0, double x1, double y1) {
    const double t = std::log(x / x0) / std::log(x1 / x0);
    return y0 * std::pow(y1 / y0, t);
}

}  // namespace

void RateSurface::add(double batch, double size, double rate) {
    const auto level =
        std::lower_bound(levels_.begin(), levels_.end(), batch, [](const Level& a, double b) {
            return a.batch < b;
        });
    const auto at = level != levels_.end() && level->batch == batch
                        ? level
                        : levels_.insert(level, Level{batch, {}});
    auto& points = at->points;
    const auto point = std::lower_bound(
        points.begin(), points.end(), size, [](const Point& a, double s) { return a.size < s; });
    if (point == points.end() || point->size != size) {
        points.insert(point, {size, rate, 1});
        return;
    }
    point->rate = (point->rate * point->n + rate) / (point->n + 1);
    point->n++;
}

double RateSurface::rate_at(const Level& level, double size) {
    const Point* below = nullptr;
    double below_rate = 0;
    for (const Point& point : level.points) {
        const double rate =
            below ? std::min(point.rate, below_rate * point.size / below->size) : point.rate;
        if (point.size >= size) {
            return below ? between(size, below->size, below_rate, point.size, rate) : rate;
        }
        below = &point;
        below_rate = rate;
    }
    return below_rate;
}

double RateSurface::at(double batch, double size) const {
    const Level* below = nullptr;
    double below_rate = 0;
    for (const Level& level : levels_) {
        double rate = rate_at(level, size);
        if (below) rate = std::min(rate, below_rate * level.batch / below->batch);
        if (level.batch >= batch) {
            return below ? between(batch, below->batch, below_rate, level.batch, rate) : rate;
        }
        below = &level;
        below_rate = rate;
    }
    return below_rate;
}

bool RateSurface::covers(double batch) const {
    return !levels_.empty() && batch * 2 >= levels_.front().batch &&
           batch <= levels_.back().batch * 2;
}

}  // namespace pshard
