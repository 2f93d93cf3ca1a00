//! An INT8 encoder in whole numbers.

use super::*;
use prost::Message;

type TestResult = std::result::Result<(), Box<dyn std::error::Error>>;

fn encoder() -> std::result::Result<ModelProto, Box<dyn std::error::Error>> {
    Ok(ModelProto::decode(std::fs::read(fixtures::bundle().join("encoder.onnx"))?.as_slice())?)
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name)
}

/// Every layer multiplies whole numbers, no quantizer is left, every tensor is made before it is read and once.
#[test]
fn layers_multiply_whole_numbers() -> TestResult {
    let before = encoder()?.graph.unwrap_or_default();
    let layers = |graph: &GraphProto| {
        let layers = graph.node.iter().filter(|node| ["Conv", "Gemm"].contains(&node.op_type.as_str()));
        layers.cloned().collect::<Vec<_>>()
    };
    let after = in_whole_numbers(encoder()?)?.graph.unwrap_or_default();
    assert_eq!(layers(&before).len(), layers(&after).len());
    for layer in layers(&after) {
        for input in &layer.input[1..] {
            let values = floats(constant(&after, input).ok_or_else(|| format!("{input} is no constant"))?);
            assert!(values.iter().all(|value| value.fract() == 0.0), "{input}");
        }
    }
    let mut known: BTreeSet<&str> = after.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(known.len(), after.initializer.len());
    known.insert(names::IMAGE);
    let mut nodes = BTreeSet::new();
    for node in &after.node {
        assert!(!node.op_type.ends_with("quantizeLinear") && node.op_type != "QuantizeLinear", "{}", node.name);
        assert!(nodes.insert(&node.name), "two nodes are called {}", node.name);
        for input in &node.input {
            assert!(known.contains(input.as_str()), "{} reads {input}, which is not there yet", node.name);
        }
        for output in &node.output {
            assert!(known.insert(output), "{output} is made twice");
        }
    }
    assert!(after.output.iter().all(|output| known.contains(output.name.as_str())));
    Ok(())
}

/// A layer of which one constant is no integer reads floats, as it would have.
#[test]
fn a_layer_with_floats_is_left_as_it_is() -> TestResult {
    let mut model = encoder()?;
    let graph = model.graph.as_mut().ok_or("no graph")?;
    let layer = graph.node.iter_mut().find(|node| node.name == names::ENCODER_INPUT).ok_or("no such layer")?;
    let bias = layer.input[2].clone();
    layer.input[2] = "own".into();
    let made = graph.node.iter().find(|node| node.output.contains(&bias)).ok_or("no bias")?;
    let integers = constant(graph, &made.input[0]).ok_or("no integers")?;
    let own = float_tensor("own", &integers.dims.clone(), (0..integers.dims[0]).map(|_| 0.5));
    graph.initializer.push(own);
    let graph = in_whole_numbers(model)?.graph.unwrap_or_default();
    let layer = graph.node.iter().find(|node| node.name == names::ENCODER_INPUT).ok_or("it is gone")?;
    assert_eq!(layer.input[2], "own");
    let weight = constant(&graph, &layer.input[1]).ok_or("no weight")?;
    assert!(floats(weight).iter().any(|value| value.fract() != 0.0));
    let input = graph.node.iter().find(|node| node.output.contains(&layer.input[0])).ok_or("no input")?;
    assert_eq!(input.op_type, "Mul");
    Ok(())
}

#[test]
fn floats_stay_floats() -> TestResult {
    let float = crate::dequantized(encoder()?)?;
    let before = float.graph.clone().unwrap_or_default();
    let after = in_whole_numbers(float)?.graph.unwrap_or_default();
    assert!(after.node == before.node && after.output == before.output);
    // Constants that nobody reads go.
    assert!(after.initializer.iter().all(|tensor| before.initializer.contains(tensor)));
    Ok(())
}

#[test]
fn a_scale_that_is_none_is_named() -> TestResult {
    for scale in [0.0, -1.0, f32::NAN] {
        let mut model = encoder()?;
        let graph = model.graph.as_mut().ok_or("no graph")?;
        let tensor = graph.initializer.iter_mut().find(|tensor| tensor.name == names::scale(names::IMAGE));
        tensor.ok_or("no scale")?.raw_data = scale.to_le_bytes().to_vec();
        let problem = in_whole_numbers(model).map(drop).map_err(|error| error.to_string());
        let expected = format!("tensor image.scale: [{scale:?}], expected one scale above 0");
        assert_eq!(problem, Err(expected));
    }
    Ok(())
}
