//! A page that shows how long each part of a run took, made from the run's events.

use std::fmt::Write as _;

use super::event::{Entry, Event};
use crate::base::platform::Platform;

/// One bar of the page. Times are seconds since hsx began.
#[derive(Debug, PartialEq)]
struct Span {
    /// 0: a phase, 1: a package, 2: a module.
    level: usize,
    name: String,
    start: f64,
    end: f64,
}

const STYLE: &str = "body{font:14px/1.5 sans-serif;margin:2em}table{border-collapse:collapse;width:100%}\
    td{padding:0 .5em;white-space:nowrap}td.bar{width:60%}td.seconds{text-align:right}.l1{padding-left:2em}.l2{padding-left:4em}\
    td.bar div{height:.8em;min-width:1px}.b0{background:#35a}.b1{background:#5a3}.b2{background:#c93}";

/// The page as HTML that loads no other file.
pub(crate) fn page(project: &str, events: &[Entry]) -> String {
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in events.iter().filter_map(|entry| entry.platform) {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    let total = events.iter().map(|entry| entry.time).fold(0.001, f64::max);
    let project = escaped(project);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{project}: timings of hsx</title>\n<style>{STYLE}</style>\n\
        <h1>{project}: {total:.1} s</h1>\n"
    );
    for platform in platforms {
        let _ = writeln!(page, "<h2>{platform}</h2>\n<table>");
        for Span { level, name, start, end } in spans(platform, events) {
            let (left, width) = (start / total * 100.0, (end - start) / total * 100.0);
            let _ = writeln!(
                page,
                "<tr><td class=\"l{level}\">{}<td class=\"seconds\">{:.1} s<td class=\"bar\">\
                <div class=\"b{level}\" style=\"margin-left:{left:.2}%;width:{width:.2}%\"></div>",
                escaped(&name),
                end - start
            );
        }
        page.push_str("</table>\n");
    }
    page + "</html>\n"
}

/// The bars of a platform, in the order in which they start. A bar ends when the next one of its level, or of a level
/// above, starts.
fn spans(platform: Platform, events: &[Entry]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: [Option<usize>; 3] = [None; 3];
    for Entry { event, time, .. } in events.iter().filter(|entry| entry.platform == Some(platform)) {
        let begun = match event {
            Event::Phase { phase } => Some((0, phase)),
            Event::Package { package, .. } => Some((1, package)),
            Event::Module { module, .. } => Some((2, module)),
            Event::Finish(_) | Event::End { .. } => None,
        };
        for index in open.iter_mut().skip(begun.map_or(0, |(level, _)| level)).filter_map(Option::take) {
            spans[index].end = *time;
        }
        if let Some((level, name)) = begun {
            open[level] = Some(spans.len());
            spans.push(Span { level, name: name.clone(), start: *time, end: *time });
        }
    }
    spans
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn at(time: f64, event: Event) -> Entry {
        Entry { event, platform: Some(Platform::Arm64), time }
    }

    fn phase(time: f64, name: &str) -> Entry {
        at(time, Event::Phase { phase: name.to_owned() })
    }

    fn package(time: f64, name: &str) -> Entry {
        at(time, Event::Package { package: name.to_owned(), number: 1, of: 1 })
    }

    fn module(time: f64, name: &str) -> Entry {
        at(time, Event::Module { package: String::new(), module: name.to_owned(), number: 1, of: 1 })
    }

    #[test]
    fn things_end_where_the_next_begin() {
        let events = [
            phase(0.0, "building"),
            package(1.0, "a"),
            module(2.0, "A"),
            module(3.0, "B"),
            package(4.0, "b"),
            phase(6.0, "packing"),
            at(7.0, Event::Finish(Value::Null)),
        ];
        let spans = spans(Platform::Arm64, &events);
        let told: Vec<_> = spans.iter().map(|span| (span.level, span.name.as_str(), span.start, span.end)).collect();
        let expected = [
            (0, "building", 0.0, 6.0),
            (1, "a", 1.0, 4.0),
            (2, "A", 2.0, 3.0),
            (2, "B", 3.0, 4.0),
            (1, "b", 4.0, 6.0),
            (0, "packing", 6.0, 7.0),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn names_are_text() {
        let events = [module(1.0, "<script>")];
        assert!(page("a & b", &events).contains("a &amp; b") && !page("", &events).contains("<script>"));
    }
}
