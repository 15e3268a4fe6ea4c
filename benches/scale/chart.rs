//! The figures as a picture: what grows with networks, and how.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use crate::measure::Figures;

/// A line of the chart: its name, its colour, and a run's figure.
type Line = (&'static str, RGBColor, fn(&Figures) -> f64);

const LINES: [Line; 4] = [
    ("reads of AWS per sweep", RGBColor(0x1f, 0x77, 0xb4), Figures::reads_per_sweep),
    ("the least that can carry them", RGBColor(0x9e, 0x9e, 0x9e), Figures::least_per_sweep),
    ("CPU per sweep, ms", RGBColor(0xd6, 0x27, 0x28), |f| f.cpu_per_sweep().as_secs_f64() * 1000.0),
    ("memory, MB", RGBColor(0x2c, 0xa0, 0x2c), Figures::megabytes),
];

/// Draws all runs, both axes logarithmic.
pub fn draw(runs: &[Figures], file: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (760, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let x = |f: &Figures| f.networks as f64;
    let most = runs.iter().map(x).fold(10.0, f64::max);
    let values = || runs.iter().flat_map(|f| LINES.iter().map(move |(_, _, value)| value(f)));
    let (low, high) = (values().fold(1.0, f64::min), values().fold(10.0, f64::max));
    let mut chart = ChartBuilder::on(&root)
        .caption("dmsnet at rest, by networks", ("sans-serif", 18))
        .margin(14)
        .x_label_area_size(38)
        .y_label_area_size(52)
        .build_cartesian_2d((1.0..most * 1.2).log_scale(), (low..high * 2.0).log_scale())?;
    chart.configure_mesh().light_line_style(RGBColor(0xee, 0xee, 0xee)).x_desc("networks").x_label_formatter(&|n| format!("{n}")).draw()?;
    for (name, colour, value) in LINES {
        let points = || runs.iter().map(|f| (x(f), value(f)));
        let line = chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
        line.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
