//! Where a node comes from: kept by gradients and passes, shown on request, and no part of what a graph is.

use cornu_graph::{Graph, Tensor, Trace, Type, gradients, passes};

/// A layer with its loss, and the gradient for its weight.
fn traced(layer: &str) -> Graph {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::f32([4, 3])), trace.input(Type::f32([3, 2])));
    let y = trace.scope(layer, || trace.scope("inner", || x.dot(&w).relu()));
    let loss = trace.scope("loss", || -(-y.square().sum_all()));
    let slope = gradients(&loss, &[w]).remove(0);
    trace.finish(&[loss, slope], &[]).expect("a sound graph")
}

/// The printed origin of the first node whose line contains a text.
fn origin(graph: &Graph, text: &str) -> String {
    let printed = format!("{graph:#}");
    let line = printed.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in\n{printed}"));
    line.split_once(" ; ").map(|(_, origin)| origin.to_owned()).unwrap_or_default()
}

#[test]
fn a_node_knows_its_layer_and_line() {
    let graph = traced("dense_1");
    let file = "crates/cornu-graph/tests/main/origins.rs:";
    assert!(origin(&graph, " = dot ").starts_with(&format!("dense_1/inner at {file}9:")), "{graph:#}");
    assert!(origin(&graph, "input 0").starts_with(&format!("{file}8:")), "{graph:#}");
    // The gradient of a node is the node's.
    assert!(origin(&graph, " = dot_ta ").starts_with("dense_1/inner at "), "{graph:#}");
    let simple = passes::run(&graph, passes::ALL);
    assert!(simple.len() < graph.len());
    for text in [" = dot ", " = dot_ta ", " = relu ", " = reduce sum"] {
        assert_eq!(origin(&simple, text), origin(&graph, text));
    }
}

#[test]
fn origins_are_no_part_of_a_graph() {
    let (one, other) = (traced("dense_1"), traced("dense_2"));
    assert_eq!(one, other);
    assert_eq!(one.to_string(), other.to_string());
    assert_ne!(format!("{one:#}"), format!("{other:#}"));
    assert_eq!(format!("{one:#}").parse::<Graph>().expect("comments are not read"), one);
    assert!(!one.to_string().contains(';'));
    // Equal nodes are one node, which was traced where it was first.
    let trace = Trace::new();
    let x = trace.input(Type::f32([2]));
    let both: Vec<Tensor> = ["first", "second"].map(|layer| trace.scope(layer, || x.exp())).into();
    let graph = trace.finish(&both, &[]).expect("a sound graph");
    assert!(graph.len() == 2 && origin(&graph, "exp").starts_with("first at "));
}
