//! Word-level distillation (Hinton et al. 2015; Kim and Rush 2016): one student learns what several teachers say together,
//!
//! L = (1−w) · L_cap + w · Σ_t KL(p̄_t ‖ q_t),
//!
//! where q_t is the student's distribution of word t after the caption's words before it, and p̄_t the mean of the teachers'. Words are
//! weighted and counted as in L_cap, so that the ranks' parts add up.

use super::net::Net;
use crate::data::batches::{CaptionBatch, Captions};
use crate::data::samples::Samples;
use crate::error::Result;
use crate::net::{BackboneNet, Mode, Parts, Store};
use cssa::model::Model;
use tch::{Kind, Tensor};

/// A finished run that teaches.
#[derive(Debug)]
pub struct Teacher {
    /// Its hyper-parameters.
    pub model: Model,
    /// Its weights.
    pub store: Store,
    /// Its backbone, all of it frozen.
    pub backbone: BackboneNet,
    /// Which of [`Teachers::samples`] it sees; none where it sees the images as the student does.
    pub sees: Option<usize>,
}

/// All teachers of a run.
#[derive(Debug, Default)]
pub struct Teachers {
    /// The runs.
    pub all: Vec<Teacher>,
    /// The student's samples as other backbones, or backbones at another size, see them.
    pub samples: Vec<Samples>,
}

/// The teachers' networks.
#[derive(Debug)]
pub struct Panel<'a> {
    nets: Vec<(Net<'a>, Option<usize>)>,
}

impl<'a> Panel<'a> {
    /// The networks of the teachers; none where there is no teacher.
    pub fn new(teachers: &'a Teachers) -> Result<Option<Self>> {
        let net = |Teacher { model, store, backbone, sees }: &'a Teacher| -> Result<(Net<'a>, Option<usize>)> {
            Ok((Net::new(Parts { model, store, backbone })?, *sees))
        };
        let nets = teachers.all.iter().map(net).collect::<Result<Vec<_>>>()?;
        Ok((!nets.is_empty()).then_some(Self { nets }))
    }

    /// The mean of the teachers' probabilities `[m, t, words]` of the word after each word of a batch's captions.
    pub fn probabilities(&self, batch: &CaptionBatch) -> Result<Tensor> {
        tch::no_grad(|| {
            let said = self.nets.iter().map(|(net, sees)| -> Result<Tensor> {
                let memory = net.encoder.forward(sees.map_or(&batch.images, |n| &batch.others[n]), Mode::Evaluate)?;
                Ok(net.logits(&memory, &batch.captions, Mode::Evaluate).softmax(-1, Kind::Float))
            });
            let said = said.collect::<Result<Vec<Tensor>>>()?;
            let sum = said.into_iter().reduce(|sum, one| sum + one);
            Ok(sum.unwrap_or_else(|| batch.captions.weights.zeros_like()) / self.nets.len() as f64)
        })
    }
}

/// This rank's part of KL(p ‖ q) for probabilities `p` and the logits of `q`, both `[m, t, words]`: the mean over the words, each
/// weighted as the captions say.
pub fn divergence(p: &Tensor, logits: &Tensor, captions: &Captions) -> Tensor {
    let apart = p.clamp_min(f64::from(f32::MIN_POSITIVE)).log() - logits.log_softmax(-1, Kind::Float);
    let words = (p * apart).sum_dim_intlist(-1, false, Kind::Float);
    (words * &captions.weights).sum(Kind::Float) / &captions.counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::net::Images;
    use cssa::vocabulary::TokenId;
    use tch::Device;

    /// Two captions: of two words with weight 1, and of one word with weight 2.
    fn captions() -> Captions {
        let words: Vec<Vec<TokenId>> =
            [&[1, 3, 0][..], &[1, 0]].map(|ids| ids.iter().map(|&id| TokenId(id)).collect()).into();
        Captions::new(&[(0, &words[0], 1.0), (1, &words[1], 2.0)], 4.0, Device::Cpu)
    }

    #[test]
    fn the_divergence_is_the_formula() {
        let half = Tensor::from_slice(&[0.5f32, 0.5, 1.0, 0.0, 0.5, 0.5, 0.3, 0.7]).view([2, 2, 2]);
        let logits = Tensor::from_slice(&[0.0, 3f32.ln(), 0.0, 3f32.ln(), 0.0, 0.0, 9.0, -9.0]).view([2, 2, 2]);
        // Of q = (1/4, 3/4): ½ ln 2 + ½ ln ⅔ and ln 4; of q = (½, ½) 0; the last place is padding.
        let expected = (0.5 * (2f64.ln() + (2.0 / 3.0f64).ln()) + 4f64.ln() + 2.0 * 0.0) / 4.0;
        assert!((divergence(&half, &logits, &captions()).double_value(&[]) - expected).abs() < 1e-6);
    }

    fn network() -> Model {
        let mut config = Config::default();
        (config.network.width, config.network.heads, config.network.feed_forward) = (16, 2, 16);
        (config.network.encoder_layers, config.network.decoder_layers) = (1, 1);
        (config.network.image_size, config.data.max_tokens) = (64, 8);
        config.network.contrast_width = 4;
        config.model(6)
    }

    fn teacher(seed: i64) -> Teacher {
        let model = network();
        let shape = crate::net::FeatureShape { cells: model.cells(), channels: model.backbone.channels() };
        let store = Store::new(&model, seed, Device::Cpu);
        Teacher { model, store, backbone: BackboneNet::without_layers(shape), sees: None }
    }

    fn batch(model: &Model) -> CaptionBatch {
        tch::manual_seed(5);
        let shape = [2, model.cells() as i64, model.backbone.channels() as i64];
        CaptionBatch {
            own: 0..2,
            of: 2,
            images: Images::of_features(Tensor::rand(shape, (Kind::Float, Device::Cpu))),
            others: Vec::new(),
            numbers: vec![0, 1],
            captions: captions(),
            scenes: Tensor::from_slice(&[-100i64, -100]),
            told: Tensor::from(1f32),
        }
    }

    #[test]
    fn several_teachers_say_their_mean() -> Result<()> {
        let batch = batch(&network());
        let said = |seeds: &[i64]| -> Result<Tensor> {
            let teachers = Teachers { all: seeds.iter().map(|&seed| teacher(seed)).collect(), samples: Vec::new() };
            Panel::new(&teachers)?.map_or_else(|| Ok(Tensor::new()), |panel| panel.probabilities(&batch))
        };
        let mean = (said(&[7])? + said(&[8])?) / 2.0;
        assert!((said(&[7, 8])? - mean).abs().max().double_value(&[]) < 1e-6);
        assert!(Panel::new(&Teachers::default())?.is_none());
        Ok(())
    }

    /// With weight 1 nothing but the teacher counts, and the student comes to say what it says.
    #[test]
    fn a_student_goes_toward_its_teacher() -> Result<()> {
        let (teachers, student) = (Teachers { all: vec![teacher(7)], samples: Vec::new() }, teacher(9));
        let batch = batch(&student.model);
        let panel = Panel::new(&teachers)?.ok_or(crate::error::Error::Broken("no teacher"))?;
        let parts = Parts { model: &student.model, store: &student.store, backbone: &student.backbone };
        let net = Net::new(parts)?;
        let taught = panel.probabilities(&batch)?;
        let mut losses = Vec::new();
        for _ in 0..100 {
            let memory = net.encoder.forward(&batch.images, Mode::Evaluate)?;
            let logits = net.logits(&memory, &batch.captions, Mode::Evaluate);
            let loss = divergence(&taught, &logits, &batch.captions);
            loss.backward();
            for (name, tensor) in student.store.tensors().filter(|(_, tensor)| tensor.grad().defined()) {
                student.store.set(name, &(tensor - tensor.grad() * 0.2).detach())?;
                tensor.shallow_clone().zero_grad();
            }
            losses.push(loss.double_value(&[]));
        }
        assert!(losses[99] < 0.1 * losses[0] && losses[99] >= 0.0, "{} to {}", losses[0], losses[99]);
        Ok(())
    }
}
