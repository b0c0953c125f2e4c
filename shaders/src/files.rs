//! The list of all files.

/// Each by its path without the ending.
pub const FILES: &[(&str, &str)] = &[
    ("plain/adam", include_str!("../plain/adam.wgsl")),
    ("plain/attention", include_str!("../plain/attention.wgsl")),
    (
        "plain/attention_backward",
        include_str!("../plain/attention_backward.wgsl"),
    ),
    ("plain/bilinear", include_str!("../plain/bilinear.wgsl")),
    ("plain/centres", include_str!("../plain/centres.wgsl")),
    ("plain/conv3x3", include_str!("../plain/conv3x3.wgsl")),
    (
        "plain/depthwise5x5",
        include_str!("../plain/depthwise5x5.wgsl"),
    ),
    (
        "plain/elementwise",
        include_str!("../plain/elementwise.wgsl"),
    ),
    ("plain/gather", include_str!("../plain/gather.wgsl")),
    ("plain/in_place", include_str!("../plain/in_place.wgsl")),
    ("plain/layer_norm", include_str!("../plain/layer_norm.wgsl")),
    ("plain/linear", include_str!("../plain/linear.wgsl")),
    ("plain/losses", include_str!("../plain/losses.wgsl")),
    (
        "plain/nearest_centre",
        include_str!("../plain/nearest_centre.wgsl"),
    ),
    (
        "plain/pixel_shuffle",
        include_str!("../plain/pixel_shuffle.wgsl"),
    ),
    ("plain/reduce", include_str!("../plain/reduce.wgsl")),
    ("plain/rows", include_str!("../plain/rows.wgsl")),
    (
        "plain/counting_sort",
        include_str!("../plain/counting_sort.wgsl"),
    ),
    (
        "plain/sort_tokens",
        include_str!("../plain/sort_tokens.wgsl"),
    ),
    ("plain/transpose", include_str!("../plain/transpose.wgsl")),
    ("plain/unit", include_str!("../plain/unit.wgsl")),
    ("tuned/attention", include_str!("../tuned/attention.wgsl")),
    (
        "tuned/attention_backward_kv",
        include_str!("../tuned/attention_backward_kv.wgsl"),
    ),
    (
        "tuned/attention_backward_q",
        include_str!("../tuned/attention_backward_q.wgsl"),
    ),
    (
        "tuned/attention_pack",
        include_str!("../tuned/attention_pack.wgsl"),
    ),
    ("tuned/conv3x3", include_str!("../tuned/conv3x3.wgsl")),
    (
        "tuned/conv3x3_backward_w",
        include_str!("../tuned/conv3x3_backward_w.wgsl"),
    ),
    (
        "tuned/counting_sort",
        include_str!("../tuned/counting_sort.wgsl"),
    ),
    (
        "tuned/depthwise5x5",
        include_str!("../tuned/depthwise5x5.wgsl"),
    ),
    (
        "tuned/depthwise5x5_backward_w",
        include_str!("../tuned/depthwise5x5_backward_w.wgsl"),
    ),
    ("tuned/layer_norm", include_str!("../tuned/layer_norm.wgsl")),
    (
        "tuned/layer_norm_backward",
        include_str!("../tuned/layer_norm_backward.wgsl"),
    ),
    ("tuned/linear", include_str!("../tuned/linear.wgsl")),
    (
        "tuned/linear_backward_w",
        include_str!("../tuned/linear_backward_w.wgsl"),
    ),
    (
        "tuned/nearest_centre",
        include_str!("../tuned/nearest_centre.wgsl"),
    ),
    (
        "tuned/attention_backward_kv_scalar",
        include_str!("../tuned/attention_backward_kv_scalar.wgsl"),
    ),
    (
        "tuned/attention_backward_q_scalar",
        include_str!("../tuned/attention_backward_q_scalar.wgsl"),
    ),
    (
        "tuned/attention_scalar",
        include_str!("../tuned/attention_scalar.wgsl"),
    ),
    (
        "tuned/conv3x3_backward_w_fours",
        include_str!("../tuned/conv3x3_backward_w_fours.wgsl"),
    ),
    (
        "tuned/conv3x3_pack",
        include_str!("../tuned/conv3x3_pack.wgsl"),
    ),
    (
        "tuned/conv3x3_scalar",
        include_str!("../tuned/conv3x3_scalar.wgsl"),
    ),
    (
        "tuned/layer_norm_backward_parts",
        include_str!("../tuned/layer_norm_backward_parts.wgsl"),
    ),
    (
        "tuned/linear_backward_w_fours",
        include_str!("../tuned/linear_backward_w_fours.wgsl"),
    ),
    (
        "tuned/linear_scalar",
        include_str!("../tuned/linear_scalar.wgsl"),
    ),
    ("lib/attention", include_str!("../lib/attention.wgsl")),
    (
        "lib/attention_keys",
        include_str!("../lib/attention_keys.wgsl"),
    ),
    (
        "lib/attention_slots",
        include_str!("../lib/attention_slots.wgsl"),
    ),
    (
        "lib/attention_tile",
        include_str!("../lib/attention_tile.wgsl"),
    ),
    ("lib/erf", include_str!("../lib/erf.wgsl")),
    ("lib/exp2", include_str!("../lib/exp2.wgsl")),
    ("lib/index", include_str!("../lib/index.wgsl")),
    ("lib/spread1", include_str!("../lib/spread1.wgsl")),
    ("lib/spread16", include_str!("../lib/spread16.wgsl")),
    ("lib/spread4", include_str!("../lib/spread4.wgsl")),
    ("lib/spread8", include_str!("../lib/spread8.wgsl")),
    ("lib/vec1", include_str!("../lib/vec1.wgsl")),
    ("lib/vec4", include_str!("../lib/vec4.wgsl")),
];
