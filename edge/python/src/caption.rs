//! A caption as Python has it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// What an image shows, and how far that can be believed. Two are equal where all but `milliseconds` is.
#[pyclass(frozen, module = "cssa_onboard", from_py_object)]
#[derive(Clone, Debug)]
pub(crate) struct Caption {
    /// The words.
    #[pyo3(get)]
    pub(crate) text: String,
    /// Probability that the caption names nothing that is not there; None where the bundle has no statistics for it.
    #[pyo3(get)]
    pub(crate) confidence: Option<f64>,
    /// Share of held-out images that are less like the train images than this one; None without statistics.
    #[pyo3(get)]
    pub(crate) familiarity: Option<f64>,
    /// Why the image is outside of what the model knows, the plainest reason first; empty where it is not.
    #[pyo3(get)]
    pub(crate) reasons: Vec<String>,
    /// The words as numbers of the bundle's vocabulary.
    #[pyo3(get)]
    pub(crate) tokens: Vec<u16>,
    /// Geometric mean of the tokens' probabilities: how the search ranks, and no measure of truth.
    #[pyo3(get)]
    pub(crate) score: f64,
    /// Milliseconds in the model: preprocessing, encoder, search, judgement; without reading the file.
    #[pyo3(get)]
    pub(crate) milliseconds: f64,
}

impl From<cssa_captioner::Caption> for Caption {
    fn from(caption: cssa_captioner::Caption) -> Self {
        let took = caption.preprocessing + caption.encoder + caption.decoder + caption.judgement;
        Self {
            confidence: caption.confidence.map(|confidence| f64::from(confidence.thousandths()) / 1000.0),
            familiarity: caption.familiarity.map(as_written),
            reasons: caption.reasons.iter().map(ToString::to_string).collect(),
            tokens: caption.tokens.iter().map(|token| token.0).collect(),
            score: as_written(caption.score),
            milliseconds: took.as_secs_f64() * 1e3,
            text: caption.text,
        }
    }
}

/// The number that `edge caption --json` writes for it: its shortest decimals, not those that single precision has behind them.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[pymethods]
impl Caption {
    #[new]
    #[pyo3(signature = (text, confidence=None, familiarity=None, reasons=Vec::new(), tokens=Vec::new(), score=0.0, milliseconds=0.0))]
    fn new(
        text: String,
        confidence: Option<f64>,
        familiarity: Option<f64>,
        reasons: Vec<String>,
        tokens: Vec<u16>,
        score: f64,
        milliseconds: f64,
    ) -> Self {
        Self { text, confidence, familiarity, reasons, tokens, score, milliseconds }
    }

    /// Whether the image is outside of what the model knows; None where the bundle cannot tell.
    #[getter]
    pub(crate) fn outside(&self) -> Option<bool> {
        self.familiarity.map(|_| !self.reasons.is_empty())
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<String> {
        let this = slf.get();
        let text = this.text.clone().into_pyobject(slf.py())?.repr()?;
        let number = |value: Option<f64>| value.map_or_else(|| "None".into(), |value| value.to_string());
        let outside = match this.outside() {
            None => "None",
            Some(true) => "True",
            Some(false) => "False",
        };
        Ok(format!(
            "Caption(text={text}, confidence={}, familiarity={}, outside={outside}, reasons={:?})",
            number(this.confidence),
            number(this.familiarity),
            this.reasons
        ))
    }

    fn __eq__(&self, other: &Self) -> bool {
        let known = |one: &Self| (one.text.clone(), one.confidence, one.familiarity, one.reasons.clone(), one.score);
        known(self) == known(other) && self.tokens == other.tokens
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.text, &self.tokens).hash(&mut hasher);
        hasher.finish()
    }

    /// All fields by their names, plain values: what `json.dumps` takes.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item("text", &self.text)?;
        fields.set_item("confidence", self.confidence)?;
        fields.set_item("familiarity", self.familiarity)?;
        fields.set_item("outside", self.outside())?;
        fields.set_item("reasons", &self.reasons)?;
        fields.set_item("tokens", &self.tokens)?;
        fields.set_item("score", self.score)?;
        Ok(fields)
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let Self { text, confidence, familiarity, reasons, tokens, score, milliseconds } = self;
        (text, confidence, familiarity, reasons, tokens, score, milliseconds).into_pyobject(py)
    }
}
