//! Files as `torch.save` wrote them before version 1.6, put together by hand.

/// `{'state_dict': {name: array}}` with 32-bit arrays, each in a storage of its own. With `part`,
/// as very old versions: every array is a part of its storage, which begins one element earlier.
pub fn file(arrays: &[(&str, &[usize], &[f32])], part: bool) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    file.extend(b"\x80\x02M\xe9\x03."); // protocol 1001
    file.extend(b"\x80\x02}q\x00(");
    text(&mut file, "protocol_version");
    file.extend(b"M\xe9\x03");
    text(&mut file, "little_endian");
    file.extend(b"\x88u.");

    file.extend(b"\x80\x02}");
    text(&mut file, "state_dict");
    file.extend(b"ccollections\nOrderedDict\n)R(");
    for (key, (name, shape, data)) in arrays.iter().enumerate() {
        let count = data.len() + usize::from(part);
        text(&mut file, name);
        file.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut file, "storage");
        file.extend(b"ctorch\nFloatStorage\n");
        text(&mut file, &key.to_string());
        text(&mut file, "cuda:0");
        int(&mut file, count);
        match part {
            true => {
                text(&mut file, "a view");
                int(&mut file, 1);
                int(&mut file, data.len());
                file.extend(b"\x87");
            }
            false => file.push(b'N'),
        }
        file.extend(b"tQ");
        int(&mut file, 0);
        ints(&mut file, shape);
        let strides: Vec<_> = (1..=shape.len())
            .map(|axis| shape[axis..].iter().product())
            .collect();
        ints(&mut file, &strides);
        file.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    file.extend(b"us.");

    file.extend(b"\x80\x02](");
    for key in 0..arrays.len() {
        text(&mut file, &key.to_string());
    }
    file.extend(b"e.");
    for (.., data) in arrays {
        file.extend((data.len() as u64 + u64::from(part)).to_le_bytes());
        file.extend(part.then_some(f32::NAN.to_le_bytes()).into_iter().flatten());
        file.extend(data.iter().flat_map(|x| x.to_le_bytes()));
    }
    file
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.push(b'X');
    file.extend((text.len() as u32).to_le_bytes());
    file.extend(text.as_bytes());
}

fn int(file: &mut Vec<u8>, n: usize) {
    file.push(b'J');
    file.extend((n as i32).to_le_bytes());
}

fn ints(file: &mut Vec<u8>, numbers: &[usize]) {
    file.push(b'(');
    for &n in numbers {
        int(file, n);
    }
    file.push(b't');
}
