//! What a protocol found, as JSON for programs, as Markdown and a picture for
//! people.

use super::corpora::Sex;
use super::judge::Knowledge;
use super::metrics::{
    Bin, Covered, Metrics, Outcome, expected_calibration_error, reliability, risk_coverage,
};
use super::protocol::{Protocol, Run};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A protocol's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The protocol.
    pub protocol: Protocol,
    /// The model's name.
    pub model: String,
    /// Seeds that were run.
    pub seeds: Vec<u64>,
    /// Every split under every seed.
    pub runs: Vec<Run>,
    /// Means over the runs in which a corpus was tested, by what was known of
    /// the speakers, then by corpus.
    pub means: BTreeMap<Knowledge, BTreeMap<String, Mean>>,
    /// Confidence against accuracy over all runs, nothing known.
    pub reliability: Vec<Bin>,
    /// Expected calibration error of each corpus over all runs together, nothing
    /// known. A single run's few clips look worse than they are.
    pub ece_together: BTreeMap<String, f64>,
    /// The same of all corpora.
    pub ece: f64,
    /// What answering only the surest gains, over all runs, nothing known.
    pub risk_coverage: Vec<Covered>,
}

/// A corpus over the runs in which it was tested.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// Runs.
    pub runs: usize,
    /// Unweighted average recall.
    pub uar: f64,
    /// Its standard deviation over the runs.
    pub uar_deviation: f64,
    /// Accuracy.
    pub accuracy: f64,
    /// Expected calibration error.
    pub ece: f64,
    /// Unweighted average recall of the surest 80 %.
    pub uar_at_80: f64,
    /// Unweighted average recall of women and of men, over the runs that tested
    /// them.
    pub uar_by_sex: BTreeMap<Sex, f64>,
}

impl Mean {
    fn of(metrics: &[&Metrics]) -> Mean {
        let n = metrics.len().max(1) as f64;
        let over = |figure: fn(&Metrics) -> f64| metrics.iter().map(|m| figure(m)).sum::<f64>() / n;
        let uar = over(|m| m.uar);
        let squares = metrics.iter().map(|m| (m.uar - uar).powi(2)).sum::<f64>();
        Mean {
            runs: metrics.len(),
            uar,
            uar_deviation: (squares / n).sqrt(),
            accuracy: over(|m| m.accuracy),
            ece: over(|m| m.ece),
            uar_at_80: over(|m| m.uar_at_80),
            uar_by_sex: [Sex::Female, Sex::Male]
                .into_iter()
                .filter_map(|sex| {
                    let own: Vec<f64> = metrics
                        .iter()
                        .filter_map(|m| m.uar_by_sex.get(&sex).copied())
                        .collect();
                    (!own.is_empty()).then(|| (sex, own.iter().sum::<f64>() / own.len() as f64))
                })
                .collect(),
        }
    }
}

impl Report {
    /// Sums up runs.
    pub fn new(protocol: Protocol, model: &str, runs: Vec<Run>) -> Report {
        let mut metrics: BTreeMap<Knowledge, BTreeMap<String, Vec<&Metrics>>> = BTreeMap::new();
        for run in &runs {
            for (knowledge, corpora) in &run.figures {
                for (corpus, figures) in corpora {
                    let by_corpus = metrics.entry(*knowledge).or_default();
                    by_corpus.entry(corpus.clone()).or_default().push(figures);
                }
            }
        }
        let means = metrics
            .into_iter()
            .map(|(knowledge, corpora)| {
                let corpora = corpora.into_iter();
                let means = corpora.map(|(corpus, list)| (corpus, Mean::of(&list)));
                (knowledge, means.collect())
            })
            .collect();
        let mut by_corpus: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for (corpus, own) in runs.iter().flat_map(|run| &run.outcomes) {
            by_corpus.entry(corpus.clone()).or_default().extend(own);
        }
        let outcomes: Vec<Outcome> = by_corpus.values().flatten().copied().collect();
        let eces = by_corpus.iter();
        let eces = eces.map(|(corpus, own)| (corpus.clone(), expected_calibration_error(own)));
        let seeds: BTreeSet<u64> = runs.iter().map(|r| r.seed).collect();
        Report {
            protocol,
            model: model.to_owned(),
            seeds: seeds.into_iter().collect(),
            reliability: reliability(&outcomes),
            ece_together: eces.collect(),
            ece: expected_calibration_error(&outcomes),
            risk_coverage: risk_coverage(&outcomes),
            means,
            runs,
        }
    }

    /// The report for people; `picture` is the reliability diagram's file name.
    pub fn to_markdown(&self, picture: &str) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "# `{}`: {}\n\n{}\n",
            self.model,
            self.protocol.title(),
            self.protocol.caveat()
        );
        for (knowledge, corpora) in &self.means {
            let _ = writeln!(out, "## {}\n", sentence_case(knowledge.name()));
            out += "| corpus | runs | UAR | ± | accuracy | ECE | UAR of the surest 80 % | UAR of women | of men |\n";
            out += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
            for (corpus, m) in corpora {
                let [women, men] = [Sex::Female, Sex::Male].map(|sex| {
                    let own = m.uar_by_sex.get(&sex);
                    own.map_or("–".to_owned(), |uar| format!("{uar:.3}"))
                });
                let _ = writeln!(
                    out,
                    "| {corpus} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {women} | {men} |",
                    m.runs, m.uar, m.uar_deviation, m.accuracy, m.ece, m.uar_at_80
                );
            }
            out.push('\n');
        }
        out += "## By class, nothing known\n\n";
        for corpus in self.corpora() {
            let _ = writeln!(out, "### {corpus}\n");
            out += &self.classes(&corpus);
        }
        out += "## Confidence\n\n";
        let _ = writeln!(out, "![Confidence against accuracy]({picture})\n");
        let each: Vec<String> = self
            .ece_together
            .iter()
            .map(|(corpus, ece)| format!("{corpus} {ece:.3}"))
            .collect();
        let _ = writeln!(
            out,
            "Expected calibration error over all runs together: {:.3}; by corpus: {}.\n",
            self.ece,
            each.join(", ")
        );
        out += "| answered | wrong among them | UAR among them |\n| ---: | ---: | ---: |\n";
        for c in &self.risk_coverage {
            let _ = writeln!(
                out,
                "| {:.0} % | {:.1} % | {:.3} |",
                100.0 * c.coverage,
                100.0 * c.risk,
                c.uar
            );
        }
        out
    }

    fn corpora(&self) -> BTreeSet<String> {
        let stranger = self.means.get(&Knowledge::Stranger);
        stranger
            .into_iter()
            .flat_map(|c| c.keys().cloned())
            .collect()
    }

    /// Precision, recall and F1, and who was taken for whom, over all runs.
    fn classes(&self, corpus: &str) -> String {
        let runs: Vec<&Metrics> = self
            .runs
            .iter()
            .filter_map(|r| r.figures.get(&Knowledge::Stranger)?.get(corpus))
            .collect();
        let Some(first) = runs.first() else {
            return String::new();
        };
        let names: Vec<&str> = first.per_class.keys().map(|e| e.name()).collect();
        let mut out = String::from("| shown | precision | recall | F1 |");
        for name in &names {
            let _ = write!(out, " heard {name} |");
        }
        let _ = writeln!(out, "\n| --- |{}", " ---: |".repeat(3 + names.len()));
        for (row, (emotion, _)) in first.per_class.iter().enumerate() {
            let over = |figure: fn(&super::metrics::ClassMetrics) -> f64| {
                let each = runs.iter().filter_map(|m| m.per_class.get(emotion));
                let each: Vec<f64> = each.filter(|c| c.clips > 0).map(figure).collect();
                each.iter().sum::<f64>() / each.len().max(1) as f64
            };
            let _ = write!(
                out,
                "| {emotion} | {:.2} | {:.2} | {:.2} |",
                over(|c| c.precision),
                over(|c| c.recall),
                over(|c| c.f1)
            );
            for column in 0..names.len() {
                let heard = runs
                    .iter()
                    .filter_map(|m| m.confusion.get(row)?.get(column));
                let _ = write!(out, " {} |", heard.sum::<usize>());
            }
            out.push('\n');
        }
        out.push('\n');
        out
    }

    /// The reliability diagram: accuracy over confidence, dots as large as the
    /// bin is full.
    pub fn to_svg(&self) -> String {
        const SIDE: f64 = 320.0;
        const MARGIN: f64 = 44.0;
        let x = |v: f64| MARGIN + v * SIDE;
        let y = |v: f64| MARGIN + (1.0 - v) * SIDE;
        let size = SIDE + 2.0 * MARGIN;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/>\n"
        );
        for tick in 0..=5 {
            let v = f64::from(tick) / 5.0;
            let _ = writeln!(
                out,
                "<path d=\"M{} {}V{}M{} {}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{:.0} %</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0} %</text>",
                x(v),
                y(0.0),
                y(1.0),
                x(0.0),
                y(v),
                x(1.0),
                x(v),
                y(0.0) + 16.0,
                100.0 * v,
                x(0.0) - 6.0,
                y(v) + 4.0,
                100.0 * v
            );
        }
        let _ = writeln!(
            out,
            "<path d=\"M{} {}L{} {}\" stroke=\"#999\" stroke-dasharray=\"4 4\"/>",
            x(0.0),
            y(0.0),
            x(1.0),
            y(1.0)
        );
        let total: usize = self.reliability.iter().map(|b| b.clips).sum();
        for bin in &self.reliability {
            let radius = 3.0 + 16.0 * (bin.clips as f64 / total.max(1) as f64).sqrt();
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" fill=\"#2b6cb0\" fill-opacity=\".75\"><title>{} clips</title></circle>",
                x(bin.confidence),
                y(bin.accuracy),
                bin.clips
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">confidence</text><text transform=\"translate(12 {0}) rotate(-90)\" text-anchor=\"middle\">share of right answers</text>\n</svg>",
            size / 2.0,
            size - 8.0
        );
        out
    }
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{Emotion, Scores};

    fn run(fold: &str, right: usize) -> Run {
        let outcomes: Vec<Outcome> = (0..4)
            .map(|i| {
                let mut weights = [0.0; 8];
                weights[Emotion::Sad.index()] = if i < right { 0.7 } else { 0.3 };
                weights[Emotion::Happy.index()] = if i < right { 0.3 } else { 0.7 };
                Outcome {
                    truth: Emotion::Sad,
                    scores: Scores::from_weights(weights),
                    sex: Some(Sex::Female),
                }
            })
            .collect();
        let metrics = Metrics::of(&outcomes, &[Emotion::Happy, Emotion::Sad]);
        let corpora = BTreeMap::from([("x".to_owned(), metrics)]);
        Run {
            fold: fold.to_owned(),
            seed: 1,
            figures: BTreeMap::from([(Knowledge::Stranger, corpora)]),
            outcomes: BTreeMap::from([("x".to_owned(), outcomes)]),
        }
    }

    #[test]
    fn runs_are_averaged_and_told() {
        let runs = vec![run("0", 4), run("1", 2)];
        let report = Report::new(Protocol::SpeakerIndependent, "small", runs);
        let mean = &report.means[&Knowledge::Stranger]["x"];
        assert_eq!((mean.runs, mean.uar, mean.uar_deviation), (2, 0.75, 0.25));
        // All are 70 % sure, and six of eight are right.
        assert_eq!(report.reliability.len(), 1);
        assert_eq!(report.reliability[0].accuracy, 0.75);
        assert!((report.ece - 0.05).abs() < 1e-6 && report.ece_together["x"] == report.ece);
        let text = report.to_markdown("small.svg");
        assert!(text.contains("| x | 2 | 0.750 | 0.250 |"), "{text}");
        assert!(text.contains("| 0.750 | – |"), "{text}");
        assert!(text.contains("| sad |") && text.contains("small.svg"));
        assert_eq!(report.to_svg().matches("<circle").count(), 1);
    }
}
