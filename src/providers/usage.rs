//! What an answer tells of itself: the model that answered, and the tokens that the provider counted.

use memchr::memmem;
use serde::Deserialize;

use crate::domain::Tokens;

/// Longest name of a model that is taken over, bytes.
const MODEL_BYTES_MAX: usize = 200;
/// Longest id of an answer, bytes.
const ID_BYTES_MAX: usize = 200;

/// What was told so far, in one answer or over the events of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The answer's id.
    pub id: Option<String>,
    /// The model, as the provider names it.
    pub model: Option<String>,
    /// The tokens.
    pub tokens: Option<Tokens>,
}

/// A usage block of any dialect: Anthropic and OpenAI Responses say `input_tokens`, Chat Completions `prompt_tokens`; some
/// relays say both.
#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
    output_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    input_tokens_details: Option<Details>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// An answer or an event; a stream's first and last events wrap it once more.
#[derive(Deserialize)]
struct Envelope {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
    message: Option<Inner>,
    response: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
}

/// A line of a batch's results.
#[derive(Deserialize)]
struct BatchLine {
    result: Option<BatchResult>,
}

#[derive(Deserialize)]
struct BatchResult {
    message: Option<Inner>,
}

impl Told {
    /// Reads an answer's body, or the data of one event of it. What is of another shape tells nothing.
    pub fn read(&mut self, json: &[u8]) {
        let counts = memmem::find(json, b"\"usage\"").is_some();
        if !counts && (self.model.is_some() || memmem::find(json, b"\"model\"").is_none()) {
            return;
        }
        let Ok(told) = serde_json::from_slice::<Envelope>(json) else { return };
        self.take(Inner { id: told.id, model: told.model, usage: told.usage });
        [told.message, told.response].into_iter().flatten().for_each(|inner| self.take(inner));
    }

    /// Reads the results of a batch, an answer a line: what all of them have used, under the model of the first.
    pub fn read_results(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n') {
            let Ok(BatchLine { result: Some(BatchResult { message: Some(message) }) }) = serde_json::from_slice(line)
            else {
                continue;
            };
            let mut told = Told::default();
            told.take(message);
            self.model = self.model.take().or(told.model);
            if let Some(more) = told.tokens {
                let tokens = self.tokens.get_or_insert_default();
                *tokens = tokens.plus(more);
            }
        }
    }

    fn take(&mut self, inner: Inner) {
        let Inner { id, model, usage } = inner;
        if let Some(id) = id.filter(|it| self.id.is_none() && it.len() <= ID_BYTES_MAX) {
            self.id = Some(id);
        }
        if let Some(model) = model.filter(|it| self.model.is_none() && it.len() <= MODEL_BYTES_MAX) {
            self.model = Some(model);
        }
        let Some(usage) = usage else { return };
        // Later blocks are the whole count so far; what they leave out stands as it was.
        let tokens = self.tokens.get_or_insert_default();
        let details = usage.input_tokens_details.or(usage.prompt_tokens_details).and_then(|it| it.cached_tokens);
        let told = [
            (&mut tokens.input, usage.input_tokens.or(usage.prompt_tokens)),
            (&mut tokens.output, usage.output_tokens.or(usage.completion_tokens)),
            (&mut tokens.cache_read, usage.cache_read_input_tokens.or(details)),
            (&mut tokens.cache_write, usage.cache_creation_input_tokens),
        ];
        for (count, told) in told {
            *count = told.unwrap_or(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[&str]) -> Told {
        let mut told = Told::default();
        events.iter().for_each(|event| told.read(event.as_bytes()));
        told
    }

    #[test]
    fn a_relay_that_says_both_names_is_understood() {
        let both = told(&[
            r#"{"usage":{"prompt_tokens":7,"input_tokens":7,"completion_tokens":5,"output_tokens":5,"prompt_tokens_details":{},"input_tokens_details":null}}"#,
        ]);
        assert_eq!(both.tokens, tokens(7, 5, 0, 0));
    }

    #[test]
    fn results_of_a_batch_are_added_up() {
        let mut told = Told::default();
        told.read_results(
            br#"{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","model":"claude-a","usage":{"input_tokens":9,"output_tokens":2}}}}
not JSON
{"custom_id":"b","result":{"type":"errored","error":{}}}
{"custom_id":"c","result":{"type":"succeeded","message":{"id":"msg_2","model":"claude-a","usage":{"input_tokens":1,"output_tokens":3,"cache_read_input_tokens":4}}}}
"#,
        );
        assert_eq!((told.model.as_deref(), told.tokens), (Some("claude-a"), tokens(10, 5, 4, 0)));
    }

    fn tokens(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Option<Tokens> {
        Some(Tokens { input, output, cache_read, cache_write })
    }

    #[test]
    fn every_dialect_tells_model_and_tokens() {
        let messages = told(&[
            r#"{"type":"message_start","message":{"model":"claude-a","usage":{"input_tokens":9,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"text":"usage"}}"#,
            r#"{"type":"message_delta","usage":{"output_tokens":30}}"#,
        ]);
        assert_eq!(messages, Told { id: None, model: Some("claude-a".into()), tokens: tokens(9, 30, 4, 2) });
        let chat = told(&[
            r#"{"id":"chatcmpl-a","model":"gpt-a","choices":[],"usage":null}"#,
            r#"{"model":"gpt-a","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3}}}"#,
        ]);
        assert_eq!(
            chat,
            Told { id: Some("chatcmpl-a".into()), model: Some("gpt-a".into()), tokens: tokens(7, 5, 3, 0) }
        );
        let responses = told(&[
            r#"{"type":"response.completed","response":{"model":"gpt-b","usage":{"input_tokens":8,"output_tokens":6,"input_tokens_details":{"cached_tokens":1}}}}"#,
        ]);
        assert_eq!(responses, Told { id: None, model: Some("gpt-b".into()), tokens: tokens(8, 6, 1, 0) });
    }

    #[test]
    fn what_is_of_another_shape_tells_nothing() {
        for event in ["", "[DONE]", "{\"usage\":3}", "{\"usage\":{\"input_tokens\":-1}}", "[\"usage\",\"model\"]"] {
            assert_eq!(told(&[event]), Told::default(), "{event}");
        }
        let long = format!("{{\"model\":\"{}\"}}", "m".repeat(300));
        assert_eq!(told(&[&long]), Told::default());
    }
}
