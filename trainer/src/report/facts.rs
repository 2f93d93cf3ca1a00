//! What a run is: its network and data, the epoch that was chosen, its scores on dev.

use super::captions::Scored;
use crate::log::Epoch;
use cssa::checkpoint::Description;
use cssa::page::escape;
use cssa::parameters;
use std::fmt::Write;

pub(super) fn write(body: &mut String, description: &Description, epochs: &[Epoch], scored: &[Scored<'_>]) {
    let Description { dev, model, provenance, search, .. } = description;
    let parameters: usize =
        parameters::all(model).iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum();
    let chosen = epochs.iter().rfind(|epoch| epoch.chosen);
    let number = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
    let chosen = chosen.map_or("not recorded".into(), |epoch| {
        let Epoch { stage, epoch, dev_cider, dev_bleu_4, .. } = epoch;
        format!("{stage} epoch {epoch}: CIDEr {} and BLEU-4 {} on dev", number(*dev_cider), number(*dev_bleu_4))
    });
    let rows = [
        ("checkpoint", chosen),
        ("trained on", provenance.datasets.join(", ")),
        ("dev by", dev.to_string()),
        ("backbone", format!("{}, {} × {} pixels", model.backbone, model.image_size, model.image_size)),
        (
            "transformer",
            format!(
                "{} wide, {} heads, {} + {} layers",
                model.width, model.heads, model.encoder_layers, model.decoder_layers
            ),
        ),
        ("parameters", format!("{:.2} million, backbone included", parameters as f64 / 1e6)),
        ("vocabulary", format!("{} words", model.vocabulary)),
        ("search", search.to_string()),
        ("seed, trainer's revision", format!("{}, {}", provenance.seed, provenance.revision)),
    ];
    body.push_str("<h2 id=\"run\">Run</h2>\n<div class=\"side\"><table>\n");
    for (name, value) in rows {
        let _ = writeln!(body, "<tr><td>{name}</td><td style=\"text-align:left\">{}</td></tr>", escape(&value));
    }
    body.push_str("</table>\n");
    if !scored.is_empty() {
        body.push_str(
            "<table><tr><th>dev of</th><th>images</th><th>CIDEr (95 %)</th><th>BLEU-4</th><th>ROUGE-L</th>\
             <th>distinct</th><th>invented</th><th>missed</th><th>wrong</th></tr>\n",
        );
    }
    for one in scored {
        let [low, high] = one.statistics.intervals.get("cider").copied().unwrap_or([f64::NAN; 2]);
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{:.3} [{low:.2}, {high:.2}]</td><td>{:.3}</td><td>{:.3}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(one.dataset),
            one.images,
            one.cider,
            one.bleu_4,
            one.rouge_l,
            one.statistics.distinct,
            percent(one.statistics.invented),
            percent(one.statistics.missed),
            percent(one.statistics.wrong)
        );
    }
    if !scored.is_empty() {
        body.push_str("</table>\n");
    }
    body.push_str("</div>\n");
}
