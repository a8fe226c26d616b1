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
#include <functional>

namespace pshard {

namespace {

double between(double x, double x0, double y0, double x1, double y1) {
    const double t = std::log(x / x0) / std::log(x1 / x0);
    return y0 * std::pow(y1 / y0, t);
}

// The rate at `x` among ascending points, whose rates never grow faster than their x.
template <typename Point, typename X, typename Rate>
double along(const std::vector<Point>& points, double x, X x_of, Rate rate_of) {
    const Point* below = nullptr;
    double below_rate = 0;
    for (const Point& point : points) {
        const double here = std::invoke(x_of, point);
        double rate = std::invoke(rate_of, point);
        if (below) rate = std::min(rate, below_rate * here / std::invoke(x_of, *below));
        if (here >= x) {
            return below ? between(x, std::invoke(x_of, *below), below_rate, here, rate) : rate;
        }
        below = &point;
        below_rate = rate;
    }
    return below_rate;
}

}  // namespace

void RateSurface::add(double batch, double size, double rate) {
    const auto level = std::ranges::lower_bound(levels_, batch, {}, &Level::batch);
    const auto at = level != levels_.end() && level->batch == batch
                        ? level
                        : levels_.insert(level, Level{batch, {}});
    auto& points = at->points;
    const auto point = std::ranges::lower_bound(points, size, {}, &Point::size);
    if (point == points.end() || point->size != size) {
        points.insert(point, {size, rate, 1});
        return;
    }
    point->rate = (point->rate * point->n + rate) / (point->n + 1);
    point->n++;
}

double RateSurface::at(double batch, double size) const {
    return along(levels_, batch, &Level::batch, [&](const Level& level) {
        return along(level.points, size, &Point::size, &Point::rate);
    });
}

bool RateSurface::covers(double batch) const {
    return !levels_.empty() && batch * 2 >= levels_.front().batch &&
           batch <= levels_.back().batch * 2;
}

}  // namespace pshard
