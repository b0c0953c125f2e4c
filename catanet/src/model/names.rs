//! The network's state under its published names, which its checkpoints are read and written by.

use nn::{Module, State, join};

use super::{Block, CATANet, ConvFFN, IASA, IRCA, LRSA, TAB};

type Visitor<'a> = &'a mut dyn FnMut(String, State);

impl Module for CATANet {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.first_conv.visit(&join(name, "first_conv"), visitor);
        for (i, block) in self.blocks.iter().enumerate() {
            let Block {
                tab,
                lrsa,
                mid_conv,
            } = &**block;
            tab.visit(&join(name, &format!("blocks.{i}.0")), visitor);
            lrsa.visit(&join(name, &format!("blocks.{i}.1")), visitor);
            mid_conv.visit(&join(name, &format!("mid_convs.{i}")), visitor);
        }
        for (upconv, conv, _) in &self.upconvs {
            conv.visit(&join(name, upconv), visitor);
        }
        self.last_conv.visit(&join(name, "last_conv"), visitor);
    }
}

impl Module for TAB {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.norm.visit(&join(name, "norm"), visitor);
        self.mlp.visit(&join(name, "mlp"), visitor);
        self.irca.visit(&join(name, "irca_attn"), visitor);
        self.iasa.visit(&join(name, "iasa_attn"), visitor);
        self.conv1x1.visit(&join(name, "conv1x1"), visitor);
        visitor(join(name, "means"), State::Buffer(&self.means));
        visitor(join(name, "initted"), State::Flag(&self.initted));
    }
}

impl Module for IRCA {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.to_k.visit(&join(name, "to_k"), visitor);
        self.to_v.visit(&join(name, "to_v"), visitor);
    }
}

impl Module for IASA {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.attention.visit(name, visitor);
    }
}

impl Module for LRSA {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.norm.visit(&join(name, "layer.0.norm"), visitor);
        self.attention.visit(&join(name, "layer.0.fn"), visitor);
        self.mlp.visit(&join(name, "layer.1"), visitor);
    }
}

impl Module for ConvFFN {
    fn visit(&self, name: &str, visitor: Visitor) {
        self.norm.visit(&join(name, "norm"), visitor);
        let inside = join(name, "fn"); // the norm's sibling
        self.fc1.visit(&join(&inside, "fc1"), visitor);
        let dwconv = join(&inside, "dwconv.depthwise_conv.0");
        self.dwconv.visit(&dwconv, visitor);
        self.fc2.visit(&join(&inside, "fc2"), visitor);
    }
}
