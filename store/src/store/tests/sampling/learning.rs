//! What policies have learned outlives a stop: nothing is learned twice, and used-up budgets stay used up.

use super::*;

fn counted(store: &Sampled) -> [u64; 2] {
    let policies = store.status().policies;
    ["observed", "used"].map(|count| policies[count].as_u64().expect("a count"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judge_goes_on_from_its_checkpoint() {
    let folders = [temp_folder(), temp_folder(), temp_folder()];
    let script = Script { mood: script::Mood::Learns, ..Script::new() };
    let store = Sampled::open(folders[0].path(), script).await;
    store.append(0..10).await;
    store.pass(1010);
    store.sample();
    // Without a checkpoint it learns again from what is not sealed, and hears of all verdicts.
    let store = store.kill(folders[1].path()).await;
    assert_eq!(counted(&store), [10, 2]);
    store.roll().await;
    assert_eq!(store.seal().await, 1);
    store.append(10..20).await;
    store.sample();
    store.checkpoint();
    store.append(20..30).await;
    store.pass(1010);
    store.sample();
    assert_eq!(counted(&store), [30, 6]);
    // Ten are sealed, ten were observed before the checkpoint and are observed again, ten came after it.
    let store = store.kill(folders[2].path()).await;
    assert_eq!(counted(&store), [30, 6]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_after_the_last_frame_are_not_forgotten() {
    let folders = [temp_folder(), temp_folder(), temp_folder()];
    let script = Script { mood: script::Mood::Learns, ..Script::new() };
    let store = Sampled::open(folders[0].path(), script).await;
    store.append(0..10).await;
    store.sample();
    store.checkpoint();
    store.pass(1010);
    store.sample();
    assert_eq!(counted(&store), [10, 2]);
    let store = store.kill(folders[1].path()).await;
    assert_eq!(counted(&store), [10, 2], "nothing came after the checkpoint");
    store.append(10..20).await;
    store.sample();
    let store = store.kill(folders[2].path()).await;
    assert_eq!(counted(&store), [20, 2], "the verdicts stand between the frames");
    store.close().await;
}
