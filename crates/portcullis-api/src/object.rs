//! JSON objects that are objects.
//!
//! What serde derives for a struct also takes a list, member by member in order, so that `[null, "x"]` would be a request. Nobody
//! means that who writes it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A `T` that is read from an object and from nothing else.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(from))
            }
        }

        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// One object.
pub(crate) fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Object::deserialize(from).map(|Object(one)| one)
}

/// A list of objects.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::<Object<T>>::deserialize(from)?;
    Ok(list.into_iter().map(|Object(one)| one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::UpdateUser;
    use crate::verify::VerifyBatch;

    #[test]
    fn a_list_is_no_object() {
        let read = |text: &str| serde_json::from_str::<Object<UpdateUser>>(text).is_ok();
        assert!(read("{}") && read("{\"name\": \"Ann\"}"));
        for bad in
            ["[]", "[null, null]", "[\"Ann\"]", "null", "\"x\"", "{\"name\": \"a\", \"name\": \"b\"}", "{\"x\": 1}"]
        {
            assert!(!read(bad), "{bad}");
        }
    }

    #[test]
    fn nor_is_one_within() {
        let read = |text: &str| serde_json::from_str::<Object<VerifyBatch>>(text).is_ok();
        assert!(read("{\"requests\": [{\"token\": \"x\"}]}"));
        assert!(!read("{\"requests\": [[\"x\"]]}") && !read("[[{\"token\": \"x\"}]]"));
    }
}
