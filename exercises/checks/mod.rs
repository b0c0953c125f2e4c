//! A check for each exercise.

use super::Exercise;

mod e01_scalar_product;
mod e02_backward;
mod e03_row_major;
mod e04_add;
mod e05_matrix_product;
mod e06_sum;
mod e07_variance;
mod e08_layer_norm;
mod e09_adam;
mod e10_schedule;
mod e11_border;
mod e12_pixel_shuffle;
mod e13_softmax;
mod e14_online_softmax;
mod e15_attention_backward;
mod e16_window;
mod e17_counting_sort;
mod e18_moving_average;
mod e19_scatter;
mod e20_psnr;
mod e21_linear_rule;

/// In the order in which the book comes to them; what came later is at the end.
pub const EXERCISES: &[Exercise] = &[
    e01_scalar_product::EXERCISE,
    e02_backward::EXERCISE,
    e03_row_major::EXERCISE,
    e04_add::EXERCISE,
    e05_matrix_product::EXERCISE,
    e06_sum::EXERCISE,
    e07_variance::EXERCISE,
    e08_layer_norm::EXERCISE,
    e09_adam::EXERCISE,
    e10_schedule::EXERCISE,
    e11_border::EXERCISE,
    e12_pixel_shuffle::EXERCISE,
    e13_softmax::EXERCISE,
    e14_online_softmax::EXERCISE,
    e15_attention_backward::EXERCISE,
    e16_window::EXERCISE,
    e17_counting_sort::EXERCISE,
    e18_moving_average::EXERCISE,
    e19_scatter::EXERCISE,
    e20_psnr::EXERCISE,
    e21_linear_rule::EXERCISE,
];
