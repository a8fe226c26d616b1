// Rates measured at some batches and sizes, and what follows between and beyond them.
//
//   between points   log-log interpolation, over size at the two batches around, then over batch
//   beyond           the rate of the nearest point
//   monotone         a rate never grows faster than the work (slope at most 1 in size and in
//                    batch), so that more work never takes less time; steeper points are lowered
#pragma once

#include <optional>
#include <vector>

namespace pshard {

class RateSurface {
public:
    // All arguments above 0. Points of equal batch and size are averaged.
    void add(double batch, double size, double rate);

    [[nodiscard]] bool empty() const { return levels_.empty(); }

    // Above 0. Only when not empty().
    [[nodiscard]] double at(double batch, double size) const;

    // Whether the batch lies within twice the measured range.
    [[nodiscard]] bool covers(double batch) const;

private:
    struct Point {
        double size;
        double rate;
        int n;  // rows averaged
    };

    struct Level {
        double batch;
        std::vector<Point> points;  // ascending size
    };

    static double rate_at(const Level& level, double size);

    std::vector<Level> levels_;  // ascending batch
};

}  // namespace pshard
