/* Drawings of the report: the roofline with a dot a step, a bar a step, throughput over batches. */
#include "host/cli/bench_html.h"

#include "host/cli/bench_document.h"

#include <math.h>
#include <string.h>

/* --- the roofline --- */

enum { PLOT_WIDTH = 760, PLOT_HEIGHT = 430, LEFT = 64, RIGHT = 20, TOP = 16, BOTTOM = 46 };

/* both axes in decades */
typedef struct axes {
    double x0, x1, y0, y1;
} axes;

static double place_x(const axes *a, double value)
{
    return LEFT + (log10(value) - a->x0) / (a->x1 - a->x0) * (PLOT_WIDTH - LEFT - RIGHT);
}

static double place_y(const axes *a, double value)
{
    return PLOT_HEIGHT - BOTTOM -
           (log10(value) - a->y0) / (a->y1 - a->y0) * (PLOT_HEIGHT - TOP - BOTTOM);
}

static bool has_place(const json_t *step)
{
    return document_get(step, "intensity") > 0 && document_get(step, "gflops") > 0;
}

/* Whole decades around every dot, and the ridge where the roof is known. */
static axes axes_around(const json_t *steps, double peak, double bandwidth)
{
    axes a = {(double)INFINITY, (double)-INFINITY, (double)INFINITY, (double)-INFINITY};
    size_t i;
    json_t *step;
    json_array_foreach((json_t *)steps, i, step)
    {
        if (has_place(step)) {
            double x = log10(document_get(step, "intensity"));
            double y = log10(document_get(step, "gflops"));
            a = (axes){fmin(a.x0, x), fmax(a.x1, x), fmin(a.y0, y), fmax(a.y1, y)};
        }
    }
    if (peak > 0 && bandwidth > 0 && isfinite(a.x0)) {
        a.x0 = fmin(a.x0, log10(peak / bandwidth));
        a.x1 = fmax(a.x1, log10(peak / bandwidth));
        a.y1 = fmax(a.y1, log10(peak));
    }
    a = (axes){floor(a.x0 - 0.05), ceil(a.x1 + 0.05), floor(a.y0 - 0.05), ceil(a.y1 + 0.05)};
    return a;
}

static void decade(FILE *out, int exponent)
{
    double value = pow(10, exponent);
    (void)fprintf(out, value >= 1e6 || value < 1e-3 ? "%.0e" : "%g", value);
}

static void draw_grid(FILE *out, const axes *a)
{
    const int bottom = PLOT_HEIGHT - BOTTOM, right = PLOT_WIDTH - RIGHT;
    for (int x = (int)a->x0; x <= (int)a->x1; x++) {
        double at = place_x(a, pow(10, x));
        (void)fprintf(out,
                      "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"tick\" x=\"%.1f\" "
                      "y=\"%d\" text-anchor=\"middle\">",
                      at, TOP, bottom, at, bottom + 17);
        decade(out, x);
        (void)fputs("</text>\n", out);
    }
    for (int y = (int)a->y0; y <= (int)a->y1; y++) {
        double at = place_y(a, pow(10, y));
        (void)fprintf(out,
                      "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" "
                      "y=\"%.1f\" text-anchor=\"end\">",
                      LEFT, at, right, LEFT - 7, at + 4);
        decade(out, y);
        (void)fputs("</text>\n", out);
    }
    (void)fprintf(out,
                  "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">arithmetic "
                  "intensity, FLOP a byte</text>\n"
                  "<text class=\"axis\" transform=\"translate(14 %d) rotate(-90)\" "
                  "text-anchor=\"middle\">GFLOP/s</text>\n",
                  (LEFT + right) / 2, PLOT_HEIGHT - 8, (TOP + bottom) / 2);
}

static void draw_roof(FILE *out, const axes *a, double peak, double bandwidth)
{
    const double left = pow(10, a->x0), right = pow(10, a->x1), ridge = peak / bandwidth;
    /* the slope may leave the plot below */
    const double from = fmax(left, pow(10, a->y0) / bandwidth);
    (void)fprintf(out, "<path class=\"roof\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>\n", place_x(a, from),
                  place_y(a, from * bandwidth), place_x(a, ridge), place_y(a, peak),
                  place_x(a, right));
    (void)fprintf(out,
                  "<text class=\"note\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g GFLOP/s"
                  "</text>\n<text class=\"note\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g "
                  "GB/s</text>\n",
                  place_x(a, right) - 4, place_y(a, peak) - 7, peak,
                  place_x(a, sqrt(from * ridge)) - 8, place_y(a, sqrt(from * ridge) * bandwidth),
                  bandwidth);
}

/* Where labels stand already, so that none is put upon another, nor upon a dot. */
enum { MOST_LABELS = 64, LABEL_WIDTH = 17, LABEL_HEIGHT = 12 };
typedef struct labels {
    double x[MOST_LABELS], y[MOST_LABELS];
    size_t count;
    const axes *axes;
    const json_t *steps;
} labels;

/* The area of a dot is its share of the time. */
static double dot_radius(const json_t *step)
{
    return 3 + 2.2 * sqrt(fmax(document_get(step, "share_percent"), 0));
}

/* x, y: the middle of the label's foot */
static bool is_free(const labels *l, double x, double y)
{
    size_t i;
    json_t *step;
    for (i = 0; i < l->count; i++) {
        if (fabs(l->x[i] - x) < LABEL_WIDTH && fabs(l->y[i] - y) < LABEL_HEIGHT) {
            return false;
        }
    }
    json_array_foreach((json_t *)l->steps, i, step)
    {
        const double reach = dot_radius(step);
        if (has_place(step) &&
            fabs(place_x(l->axes, document_get(step, "intensity")) - x) <
                0.5 * LABEL_WIDTH + reach &&
            fabs(place_y(l->axes, document_get(step, "gflops")) - (y - 4)) < 4 + reach) {
            return false;
        }
    }
    return l->count < MOST_LABELS;
}

/* The step's number in the table, at the first side of its dot that is free. */
static void draw_label(FILE *out, labels *l, size_t number, double x, double y, double radius)
{
    const double sides[4][2] = {
        {radius + 11, 4}, {0, -radius - 4}, {0, radius + 13}, {-radius - 11, 4}};
    for (int i = 0; i < 4; i++) {
        const double at_x = x + sides[i][0], at_y = y + sides[i][1];
        if (is_free(l, at_x, at_y)) {
            l->x[l->count] = at_x;
            l->y[l->count++] = at_y;
            (void)fprintf(out,
                          "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">"
                          "%zu</text>\n",
                          at_x, at_y, number);
            return;
        }
    }
}

static void draw_dot(FILE *out, const axes *a, const json_t *steps, size_t index)
{
    const json_t *step = json_array_get(steps, index);
    const double x = place_x(a, document_get(step, "intensity"));
    const double y = place_y(a, document_get(step, "gflops"));
    const double share = fmax(document_get(step, "share_percent"), 0);
    const double radius = dot_radius(step);
    const double of_roof = document_get(step, "of_roof_percent");
    (void)fprintf(out, "<circle class=\"dot k%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>%zu ",
                  html_family(steps, document_text(step, "kernel")), x, y, radius, index + 1);
    html_text(out, document_text(step, "name"));
    (void)fputs(": ", out);
    html_number(out, document_get(step, "us"));
    (void)fprintf(out, " us, %.3g %% of the time, ", share);
    html_number(out, document_get(step, "gflops"));
    (void)fputs(" GFLOP/s", out);
    if (isfinite(of_roof)) {
        (void)fprintf(out, ", %.3g %% of its roof", of_roof);
    }
    (void)fputs("</title></circle>\n", out);
}

/* All dots, then the labels of those that matter above them. */
static void draw_dots(FILE *out, const axes *a, const json_t *steps)
{
    labels l = {.axes = a, .steps = steps};
    size_t i;
    json_t *step;
    json_array_foreach((json_t *)steps, i, step)
    {
        if (has_place(step)) {
            draw_dot(out, a, steps, i);
        }
    }
    json_array_foreach((json_t *)steps, i, step)
    {
        if (has_place(step) && document_get(step, "share_percent") >= 2) {
            draw_label(out, &l, i + 1, place_x(a, document_get(step, "intensity")),
                       place_y(a, document_get(step, "gflops")), dot_radius(step));
        }
    }
}

void svg_roofline(FILE *out, const json_t *entry)
{
    const json_t *steps = json_object_get(entry, "steps");
    const double peak = document_get(entry, "peak_gflops");
    const double bandwidth = document_get(entry, "peak_gbs");
    const axes a = axes_around(steps, peak, bandwidth);
    if (!isfinite(a.x0) || !isfinite(a.y0)) {
        return; /* no step has arithmetic */
    }
    (void)fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"roofline\">\n",
                  PLOT_WIDTH, PLOT_HEIGHT);
    draw_grid(out, &a);
    if (peak > 0 && bandwidth > 0) {
        draw_roof(out, &a, peak, bandwidth);
    }
    draw_dots(out, &a, steps);
    (void)fputs("</svg>\n", out);
}

/* --- a bar a step --- */

void svg_steps(FILE *out, const json_t *entry)
{
    enum { ROW = 21, NAME = 240, BAR = 300, WIDTH = 760 };
    const json_t *steps = json_object_get(entry, "steps");
    double longest = 0;
    size_t i;
    json_t *step;
    json_array_foreach((json_t *)steps, i, step)
    {
        longest = fmax(longest, document_get(step, "us"));
    }
    if (!(longest > 0)) {
        return;
    }
    (void)fprintf(out,
                  "<svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-label=\"time of each step\">\n",
                  WIDTH, ROW * json_array_size(steps) + 4);
    json_array_foreach((json_t *)steps, i, step)
    {
        const double y = (double)(ROW * i) + 2, us = document_get(step, "us");
        const double width = fmax(us, 0) / longest * BAR,
                     of_roof = document_get(step, "of_roof_percent");
        char name[40];
        (void)snprintf(name, sizeof name,
                       strlen(document_text(step, "name")) > 34 ? "%.33s..." : "%s",
                       document_text(step, "name"));
        (void)fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                      NAME - 8, y + 14);
        html_text(out, name);
        (void)fprintf(out,
                      "</text><rect class=\"track\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"15\" "
                      "rx=\"3\"/><rect class=\"dot k%u\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" "
                      "height=\"15\" rx=\"3\"/><text class=\"value\" x=\"%d\" y=\"%.1f\">",
                      NAME, y + 2, BAR, html_family(steps, document_text(step, "kernel")), NAME,
                      y + 2, fmax(width, 1.5), NAME + BAR + 10, y + 14);
        html_number(out, us);
        (void)fputs(" us", out);
        if (isfinite(of_roof)) {
            (void)fprintf(out, " <tspan class=\"soft\">%.0f %% of roof</tspan>", of_roof);
        }
        (void)fputs("</text>\n", out);
    }
    (void)fputs("</svg>\n", out);
}

/* --- throughput over batches --- */

static bool is_throughput(const json_t *result)
{
    return strcmp(document_text(result, "metric"), "throughput") == 0 &&
           document_get(result, "value") > 0;
}

void svg_batches(FILE *out, const json_t *results)
{
    enum { ROW = 24, NAME = 330, BAR = 270, WIDTH = 760 };
    double longest = 0;
    size_t i, rows = 0;
    json_t *result;
    json_array_foreach((json_t *)results, i, result)
    {
        if (is_throughput(result)) {
            longest =
                fmax(longest, fmax(document_get(result, "value"), document_get(result, "high")));
            rows++;
        }
    }
    if (rows < 2) {
        return;
    }
    (void)fprintf(out,
                  "<h3>Throughput, images a second</h3>\n<svg viewBox=\"0 0 %d %zu\" "
                  "role=\"img\" aria-label=\"throughput\">\n",
                  WIDTH, ROW * rows + 4);
    rows = 0;
    json_array_foreach((json_t *)results, i, result)
    {
        if (!is_throughput(result)) {
            continue;
        }
        const double y = (double)(ROW * rows++) + 2, value = document_get(result, "value");
        const double low = document_get(result, "low"), high = document_get(result, "high");
        (void)fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                      NAME - 8, y + 15);
        html_text(out, document_text(result, "device"));
        (void)fputc(' ', out);
        html_text(out, document_text(result, "precision"));
        (void)fputs(", ", out);
        html_text(out, document_text(result, "stage"));
        (void)fprintf(out, ", batch %s", document_shown(result, "batch", COUNT_DIGITS).text);
        (void)fprintf(out,
                      "</text><rect class=\"track\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"18\" "
                      "rx=\"3\"/><rect class=\"dot k0\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" "
                      "height=\"18\" rx=\"3\"/>",
                      NAME, y + 2, BAR, NAME, y + 2, value / longest * BAR);
        if (isfinite(low) && isfinite(high)) {
            (void)fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fm0 -4v8M%.1f %.1fv8\"/>",
                          NAME + low / longest * BAR, y + 11, NAME + high / longest * BAR,
                          NAME + low / longest * BAR, y + 7);
        }
        (void)fprintf(out, "<text class=\"value\" x=\"%d\" y=\"%.1f\">", NAME + BAR + 12, y + 15);
        html_number(out, value);
        (void)fputs("</text>\n", out);
    }
    (void)fputs("</svg>\n", out);
}
