// Rates that were measured at some batches and sizes, and the rates between and beyond them. More
// work never takes less time: a rate never grows faster than the size, or than the batch.
#pragma once

#include <vector>

namespace pshard {

class RateSurface {
public:
    // Adds a point; all arguments must be above 0. Points of equal batch and size are averaged.
    void add(double batch, double size, double rate);

    [[nodiscard]] bool empty() const { return levels_.empty(); }

    // The rate at that batch and size, above 0. The surface must not be empty().
    [[nodiscard]] double at(double batch, double size) const;

    // Whether the batch is at least half the smallest one and at most twice the largest one.
    [[nodiscard]] bool covers(double batch) const;

private:
    struct Point {
        double size;
        double rate;
        int n;  // rates that `rate` is the mean of
    };

    struct Level {
        double batch;
        std::vector<Point> points;  // ascending size
    };

    std::vector<Level> levels_;  // ascending batch
};

}  // namespace pshard
