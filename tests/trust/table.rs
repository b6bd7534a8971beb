//! Tables that people see although the test harness keeps what tests print.

use std::io::Write as _;

/// Prints lines of cells, the first one as the head; the last column is as wide as it is.
pub(crate) fn print(title: &str, lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = format!("\n{title}\n");
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    // Not by `eprint`, which the harness keeps of tests that pass.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A line of a table.
pub(crate) fn line(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}
