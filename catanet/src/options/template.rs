//! The option file to start from.

use crate::config::MIN_SIDE;

/// The published recipe for `scale`, with a comment at each key.
pub(super) fn template(scale: usize) -> String {
    let (name, steps, milestones, weights) = match scale {
        2 => (
            "scratch",
            800_000,
            "[300000, 500000, 650000, 700000, 750000]",
            "none: from scratch",
        ),
        _ => (
            "finetune",
            250_000,
            "[125000, 200000, 225000, 237500]",
            "~: those of ×2 are looked for",
        ),
    };
    let gt_size = 64 * scale;
    let least = MIN_SIDE * scale;
    format!("\
# Options of a training run of CATANet ×{scale}:  catanet train --opt THIS_FILE
# The keys are BasicSR's; those marked * are not. Paths are relative to the working directory.
# One key can be changed for one run:  --set train.optim_g.lr=1e-4

name: train_CATANet_x{scale}_{name}  # the run goes into experiments/NAME
model_type: CATANetModel
scale: {scale}
num_gpu: 1           # a process computes on one adapter; more of them: mpirun -np N
manual_seed: 3407    # what all that is random follows from

datasets:
  train:
    name: DIV2K
    type: PairedImageDataset   # or, *, Folder (all images in dataroot_gt and below), or DeadLeaves (generated)
    dataroot_gt: datasets/DIV2K/DIV2K_HR
    dataroot_lq: datasets/DIV2K/DIV2K_LR_bicubic/x{scale}   # ~: made by bicubic on the way
    filename_tmpl: '{{}}x{scale}'      # how a file of dataroot_lq is called, {{}} being the name in dataroot_gt
    meta_info_file: ~          # a list of the images to take, one a line; ~: all
    io_backend:
      type: disk               # or lmdb
    gt_size: {gt_size}               # side of the high-resolution crop: {scale} times 28 or more ({least})
    use_hflip: true
    use_rot: true
    batch_size_per_gpu: 16     # times the number of processes, this is the batch (64 in the paper)
    dataset_enlarge_ratio: 100 # so many times through the images are an epoch
    degrade: ~                 # * makes the low-resolution side worse: jpeg=60..95,noise=0..8,blur=0..1.2
    hold_out: false            # * true: some images are not trained on, but judged by

  val_0:                       # val_1, val_2 … are more sets
    name: Set5
    type: PairedImageDataset
    dataroot_gt: datasets/Set5/HR
    dataroot_lq: datasets/Set5/LR_bicubic/X{scale}
    filename_tmpl: '{{}}x{scale}'
    io_backend:
      type: disk

network_g:
  type: CATANet
  upscale: {scale}

path:
  pretrain_network_g: ~        # weights to start from; {weights}
  param_key_g: ~               # the dictionary in that file; ~: found by the names of its arrays
  strict_load_g: true          # false: all but the upsampler, of weights for another scale
  resume_state: ~              # a state to go on from
  experiments_root: ~          # ~: experiments/NAME

train:
  optim_g:
    type: Adam                 # or AdamW
    lr: !!float 2e-4
    weight_decay: 0
    betas: [0.9, 0.99]
  scheduler:
    type: MultiStepLR          # or CosineAnnealingRestartLR with periods, restart_weights and eta_min
    milestones: {milestones}
    gamma: 0.5
  total_iter: {steps}
  warmup_iter: -1              # steps in which the rate rises; -1: none
  ema_decay: 0                 # 0.999: averaged weights are scored and saved, too
  use_grad_clip: false
  grad_clip_norm: 0.01         # the largest norm of the gradient, with use_grad_clip
  pixel_opt:
    type: L1Loss               # or MSELoss, or CharbonnierLoss with eps
    loss_weight: 1.0
    reduction: mean
  on_nan: stop                 # * or rollback: to the last state, with half the rate
  checkpoint_activations: false # * true: less memory, the same bits, a third more time

val:
  val_freq: 2500               # steps between validations
  save_img: false
  metrics:
    psnr:                      # any name
      type: calculate_psnr_pt  # as the paper; calculate_psnr rounds to 8 bits before
      crop_border: {scale}
      test_y_channel: true
    ssim:
      type: calculate_ssim_pt
      crop_border: {scale}
      test_y_channel: true

logger:
  print_freq: 200
  save_checkpoint_freq: 2500   # steps between files of weights
  keep: ~                      # * so many of them at most; ~: all
  save_every: 60s              # * how often the state is saved: 30s, 10m, or 500 (steps)
  use_tb_logger: true
  pth: false                   # * true: PyTorch's files beside
")
}
