//! A signature by its own key, and every way in which a folder is not what was signed. Beside `model-signing` itself: `tests/signed.sh`.

use super::*;
use anyhow::Result;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

struct Signed {
    folder: tempfile::TempDir,
    key: PrivateKey,
}

impl Signed {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = key(folder.path())?;
        let model = folder.path().join("model");
        std::fs::create_dir_all(model.join("more"))?;
        for (name, content) in
            [("encoder.onnx", "weights"), ("MODEL_CARD.md", "text"), ("more/a", "b"), (".gitignore", "")]
        {
            std::fs::write(model.join(name), content)?;
        }
        sign(&model, &key)?;
        Ok(Self { folder, key })
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    fn check(&self) -> std::result::Result<usize, String> {
        let found = check(&self.model(), &self.key.public());
        found.map(|covered| covered.files).map_err(|error| error.to_string().replace(": ", " "))
    }

    fn refused(&self, expected: &str) {
        let said = self.check();
        assert!(said.as_ref().is_err_and(|said| said.contains(expected)), "{said:?}, expected {expected}");
    }
}

fn key(folder: &Path) -> Result<PrivateKey> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())?;
    let path = folder.join("key.pem");
    let encoded = STANDARD.encode(made.as_ref());
    std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n"))?;
    Ok(PrivateKey::read(&path)?)
}

#[test]
fn a_flipped_bit_is_refused_by_its_file() -> Result<()> {
    let signed = Signed::new()?;
    assert_eq!(signed.check(), Ok(3));
    for name in ["encoder.onnx", "more/a"] {
        let path = signed.model().join(name);
        let mut content = std::fs::read(&path)?;
        content[0] ^= 1;
        std::fs::write(&path, &content)?;
        signed.refused(&format!("{name} has SHA-256"));
        content[0] ^= 1;
        std::fs::write(&path, &content)?;
    }
    assert_eq!(signed.check(), Ok(3));
    std::fs::write(signed.model().join(".gitignore"), "git's")?;
    assert_eq!(signed.check(), Ok(3));
    std::fs::write(signed.model().join("new"), "")?;
    signed.refused("new is not signed");
    std::fs::remove_file(signed.model().join("new"))?;
    std::os::unix::fs::symlink("encoder.onnx", signed.model().join("link"))?;
    signed.refused("link is a link");
    std::fs::rename(signed.model().join("link"), signed.model().join(".gitattributes"))?;
    signed.refused(".gitattributes is a link");
    std::fs::rename(signed.model().join(".gitattributes"), signed.model().join("link"))?;
    std::fs::remove_file(signed.model().join("link"))?;
    std::fs::remove_file(signed.model().join("MODEL_CARD.md"))?;
    signed.refused("MODEL_CARD.md is signed and missing");
    Ok(())
}

#[test]
fn what_cannot_be_signed_is_said() -> Result<()> {
    let signed = Signed::new()?;
    let empty = signed.folder.path().join("empty");
    std::fs::create_dir(&empty)?;
    assert!(sign(&empty, &signed.key).is_err_and(|error| error.to_string().contains("empty: has no file")));
    let deep = signed.model().join("a/".repeat(MAX_DEPTH + 1));
    std::fs::create_dir_all(&deep)?;
    signed.refused("lies in more than 16 folders");
    std::fs::remove_dir_all(signed.model().join("a"))?;
    let signature = signed.model().join(MODEL_SIGNATURE);
    std::fs::rename(&signature, signed.folder.path().join("moved"))?;
    std::os::unix::fs::symlink(signed.folder.path().join("moved"), &signature)?;
    signed.refused("model.sig is a link");
    Ok(())
}

#[test]
fn a_signature_of_another_key_or_another_text_is_refused() -> Result<()> {
    let signed = Signed::new()?;
    let other = tempfile::tempdir()?;
    let theirs = key(other.path())?.public();
    let said = check(&signed.model(), &theirs).map_err(|error| error.to_string());
    assert!(said.as_ref().is_err_and(|said| said.contains("is signed with the key")), "{said:?}");

    let path = signed.model().join(MODEL_SIGNATURE);
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let refuses = |pointer: &str, value: serde_json::Value, expected: &str| -> Result<()> {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).expect("a field") = value;
        std::fs::write(&path, changed.to_string())?;
        signed.refused(expected);
        Ok(())
    };
    let payload = STANDARD.decode(whole["dsseEnvelope"]["payload"].as_str().unwrap_or_default())?;
    let mut forged = payload.clone();
    forged[20] ^= 1;
    refuses("/dsseEnvelope/payload", STANDARD.encode(&forged).into(), "its signature is not valid under the key")?;
    refuses("/dsseEnvelope/payload", "!".into(), "is no base64")?;
    refuses("/dsseEnvelope/payloadType", "text".into(), "payloadType is \"text\"")?;
    refuses("/dsseEnvelope/signatures", serde_json::json!([]), "has 0 signatures, expected one")?;
    let material = serde_json::json!({"publicKey": {}, "certificate": {"rawBytes": ""}});
    refuses("/verificationMaterial", material, "unknown field `certificate`")?;
    refuses("/mediaType", "other".into(), "mediaType is \"other\"")?;
    // Older signatures name no key.
    let mut unnamed = whole.clone();
    unnamed["verificationMaterial"]["publicKey"] = serde_json::json!({});
    std::fs::write(&path, unnamed.to_string())?;
    assert_eq!(signed.check(), Ok(3));
    for content in [&b""[..], b"{}", b"[1]", &[0xff; 100]] {
        std::fs::write(&path, content)?;
        signed.refused("is no Sigstore bundle");
    }
    // A statement that is signed, and does not fit together.
    for (from, to, expected) in [
        ("signature/v1.0", "signature/v9.0", "predicateType is"),
        ("\"files\"", "\"shards\"", "serialization.method is \"shards\""),
        ("more/a", "more/b", "more/b is signed and missing"),
        ("\"name\":\"model\"", "\"name\":\"other\"", ""),
        ("\"sha256\":\"", "\"sha256\":\"00", "its subject is another model"),
    ] {
        let statement = String::from_utf8(payload.clone())?.replacen(from, to, 1);
        let mut changed = whole.clone();
        changed["dsseEnvelope"]["payload"] = STANDARD.encode(&statement).into();
        let signature = signed.key.sign(&authenticated(statement.as_bytes()))?;
        changed["dsseEnvelope"]["signatures"][0]["sig"] = STANDARD.encode(signature).into();
        std::fs::write(&path, changed.to_string())?;
        if expected.is_empty() {
            assert_eq!(signed.check(), Ok(3), "a folder may have another name")
        } else {
            signed.refused(expected)
        }
    }
    Ok(())
}

#[test]
fn keys_that_are_none_are_refused_with_the_way_to_make_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("key");
    std::fs::write(&path, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")?;
    let said = PrivateKey::read(&path).map(|_| ()).map_err(|error| error.to_string());
    assert!(said.is_err_and(|said| said.contains("openssl pkcs8 -topk8")));
    std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")?;
    let said = PrivateKey::read(&path).map(|_| ()).map_err(|error| error.to_string());
    assert!(said.is_err_and(|said| said.contains("is no key on P-256")));
    let said = PublicKey::read(&path).map(|_| ()).map_err(|error| error.to_string());
    assert!(said.is_err_and(|said| said.contains("openssl pkey -in KEY -pubout")));
    let public = key(folder.path())?.public();
    std::fs::write(&path, public.pem())?;
    assert_eq!(PublicKey::read(&path)?, public);
    Ok(())
}
