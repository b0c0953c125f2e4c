//! Which classes and functions a pickle's names stand for, and what calling one would have made.
//! Nothing is called.

use ::safetensors::Dtype;

use super::value::{Arena, Global, Id, Value};
use super::view::Element;

/// What a name stands for.
pub(super) fn global<'a>(module: &'a str, name: &'a str) -> Global<'a> {
    match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter")
        | ("builtins" | "__builtin__", "dict") => Global::Dict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTypedTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Global::RebuildParameter
        }
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildSubclass,
        ("torch" | "torch.cuda" | "torch.storage", _) => {
            element(name).map_or(Global::Other((module, name)), Global::Type)
        }
        _ => Global::Other((module, name)),
    }
}

fn element(name: &str) -> Option<Element<'_>> {
    let dtype = match name {
        "FloatStorage" | "float32" => Dtype::F32,
        "HalfStorage" | "float16" => Dtype::F16,
        "BFloat16Storage" | "bfloat16" => Dtype::BF16,
        "DoubleStorage" | "float64" => Dtype::F64,
        "BoolStorage" | "bool" => Dtype::BOOL,
        "LongStorage" | "int64" => Dtype::I64,
        "IntStorage" | "int32" => Dtype::I32,
        "ShortStorage" | "int16" => Dtype::I16,
        "CharStorage" | "int8" => Dtype::I8,
        "ByteStorage" | "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        _ if name.ends_with("Storage") || name.starts_with("float8") => {
            return Some(Element::Other(name));
        }
        _ if name.starts_with("complex") => return Some(Element::Other(name)),
        _ => return None,
    };
    Some(Element::Known(dtype))
}

impl<'a> Arena<'a> {
    /// ('storage', type, key, device, count), or in old files with a part of the storage after it:
    /// (key, start, count).
    pub fn persistent(&mut self, id: Id) -> Option<Id> {
        let (tag, items) = self.as_tuple(id)?.split_first()?;
        let tag = self.as_text(*tag)?;
        let &[kind, key, _device, count, ref part @ ..] = items else {
            return (tag == "module").then(|| items.first().copied()).flatten();
        };
        let start = match part.first().and_then(|&part| self.as_tuple(part)) {
            Some(&[_key, start, _count]) => Some(start),
            _ => None,
        };
        let &Value::Global(Global::Type(element)) = self.value(kind) else {
            return (tag == "module").then_some(kind);
        };
        Some(self.add(Value::Storage {
            element,
            key,
            count,
            start,
        }))
    }

    /// What `function` would have made of `args`.
    pub fn made(&mut self, function: Id, args: Id) -> Id {
        let function = match self.value(function) {
            Value::Global(function) => *function,
            _ => return self.add(Value::Opaque),
        };
        match (function, self.as_tuple(args).unwrap_or(&[])) {
            (Global::Dict, args) => {
                let pairs = args.first().copied();
                self.add(Value::Dict {
                    class: None,
                    entries: Vec::new(),
                    pairs,
                })
            }
            // Whether it wants a gradient, and its hooks, are of no concern.
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                self.tensor([storage, offset, shape, strides], None)
            }
            (Global::RebuildTypedTensor, &[storage, offset, shape, strides, _, _, dtype, ..]) => {
                let element = match self.value(dtype) {
                    Value::Global(Global::Type(element)) => *element,
                    _ => Element::Other("an unknown kind"),
                };
                self.tensor([storage, offset, shape, strides], Some(element))
            }
            (Global::RebuildParameter, &[tensor, ..]) => tensor,
            (Global::RebuildSubclass, &[function, _class, args, ..])
                if matches!(
                    self.value(function),
                    Value::Global(Global::RebuildTensor | Global::RebuildTypedTensor)
                ) =>
            {
                self.made(function, args)
            }
            (Global::Other(class), _) => self.add(Value::Dict {
                class: Some(class),
                entries: Vec::new(),
                pairs: None,
            }),
            _ => self.add(Value::Opaque),
        }
    }

    fn tensor(
        &mut self,
        [storage, offset, shape, strides]: [Id; 4],
        element: Option<Element<'a>>,
    ) -> Id {
        self.add(Value::Tensor {
            storage,
            offset,
            shape,
            strides,
            element,
        })
    }
}
